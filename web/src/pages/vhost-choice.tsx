import type { Vhost } from "../api/types";
import { usePoll } from "../state/poll";
import { Choice } from "../ui/fields";
import { visible } from "../ui/format";

/** Chooses a virtual host; nothing where there is but one. */
export function VhostChoice({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const vhosts = usePoll<Vhost[]>("/api/vhosts?columns=name", "vhosts", { once: true });
  const names = vhosts.data?.map((one) => one.name) ?? [value];
  if (names.length === 1 && names[0] === value) return null;
  const choices = names.includes(value) ? names : [value, ...names];
  return <Choice label="Virtual host" value={value} onChange={onChange} choices={choices.map((name) => [name, visible(name)])} />;
}
