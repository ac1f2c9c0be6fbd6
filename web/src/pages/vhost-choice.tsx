import { useEffect } from "preact/hooks";
import type { Vhost } from "../api/types";
import { usePoll } from "../state/poll";
import { Choice } from "../ui/fields";
import { visible } from "../ui/format";

/** Chooses a virtual host; nothing where there is but one. Who may not enter the one that is asked for gets the first. */
export function VhostChoice({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const vhosts = usePoll<Vhost[]>("/api/vhosts?columns=name", "vhosts", { once: true });
  const names = vhosts.data?.map((one) => one.name);
  const first = names?.[0];
  useEffect(() => {
    if (names && first !== undefined && !names.includes(value)) onChange(first);
  }, [vhosts.data]);
  if (!names || names.length <= 1) return null;
  return <Choice label="Virtual host" value={value} onChange={onChange} choices={names.map((name) => [name, visible(name)])} />;
}
