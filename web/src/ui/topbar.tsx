import { askNow, usePoll } from "../state/poll";
import { REFRESH_CHOICES, refreshSeconds, theme, vhostFilter, type Theme } from "../state/preferences";
import { leave, type Identity } from "../state/session";
import { useStore } from "../state/store";
import type { Vhost } from "../api/types";
import { visible } from "./format";

interface TopbarProps {
  who: Identity;
  isOpen: boolean;
  onMenu: () => void;
  onFind: () => void;
}

const THEMES: [Theme, string][] = [
  ["auto", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

/** What holds for all pages: the virtual host, how often is asked, the colours, and who one is. */
export function Topbar({ who, isOpen, onMenu, onFind }: TopbarProps) {
  const seconds = useStore(refreshSeconds);
  const chosen = useStore(theme);
  const vhost = useStore(vhostFilter);
  const vhosts = usePoll<Vhost[]>("/api/vhosts?columns=name", "vhosts", { atLeastMs: 30_000 });
  const names = vhosts.data?.map((one) => one.name) ?? [];
  return (
    <header class="topbar">
      <button type="button" class="menu" aria-expanded={isOpen} aria-controls="navigation" onClick={onMenu}>
        Menu
      </button>
      <label>
        <span>Virtual host</span>
        <select value={vhost} onChange={(event) => vhostFilter.set(event.currentTarget.value)}>
          <option value="">All</option>
          {names.map((name) => (
            <option key={name} value={name}>
              {visible(name)}
            </option>
          ))}
        </select>
      </label>
      <button type="button" class="find" onClick={onFind}>
        Find <kbd>Ctrl K</kbd>
      </button>
      <span class="spring" />
      <label>
        <span>Refresh</span>
        <select value={String(seconds)} onChange={(event) => refreshSeconds.set(Number(event.currentTarget.value))}>
          {REFRESH_CHOICES.map((choice) => (
            <option key={choice} value={String(choice)}>
              {choice === 0 ? "Never" : `${choice} s`}
            </option>
          ))}
        </select>
      </label>
      <button type="button" class="plain again" aria-label="Ask the broker now" title="Ask the broker now" onClick={askNow}>
        ↻
      </button>
      <label class="wide-only">
        <span>Colours</span>
        <select value={chosen} onChange={(event) => theme.set(event.currentTarget.value as Theme)}>
          {THEMES.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <span class="who" title={`Tags: ${who.tags.join(", ") || "none"}`}>
        {visible(who.name)}
      </span>
      <button type="button" class="plain" onClick={() => void leave()}>
        Log out
      </button>
    </header>
  );
}
