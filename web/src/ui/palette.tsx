import type { InputHTMLAttributes } from "preact";
import { useEffect, useState } from "preact/hooks";
import { get } from "../api/client";
import type { Connection, Exchange, Page, Queue, User } from "../api/types";
import { ranked, type Offer } from "../state/palette";
import { askNow } from "../state/poll";
import { link, queryText } from "../state/route";
import { allows, identity, may, type Tag } from "../state/session";
import { NAVIGATION } from "../pages/routes";
import { refreshSeconds, theme } from "../state/preferences";
import { Dialog } from "./dialog";
import { visible } from "./format";

const OF_A_KIND = 6;
const SHOWN = 14;
const REST_MS = 120;
/** The types of Preact know no search field with a list. */
const KIND = { type: "search", role: "combobox" } as unknown as InputHTMLAttributes<HTMLInputElement>;

function pages(): Offer[] {
  const tags = identity.get()?.tags ?? [];
  const all = NAVIGATION.flatMap((group) => group.items).filter((item) => !item.needs || allows(tags, item.needs));
  return all.map((item) => ({ id: `page ${item.title}`, title: item.title, kind: "page", href: link(item.path) }));
}

/** What one can do from anywhere. */
function acts(): Offer[] {
  const lead = (title: string, href: string, words: string): Offer => ({ id: `act ${title}`, title, kind: "act", href, words });
  const act = (title: string, run: () => void, words: string): Offer => ({ id: `act ${title}`, title, kind: "act", run, words });
  const make = (title: string, page: string, needs: Tag, words: string) => (may(needs) ? [lead(title, link([page], { new: true }), `new add declare create ${words}`)] : []);
  return [
    lead("Queues with most messages", link(["queues"], { sort: "messages", sort_reverse: true }), "full backlog"),
    lead("Queues with most unacked messages", link(["queues"], { sort: "messages_unacknowledged", sort_reverse: true }), "stuck consumers"),
    lead("Queues with the oldest messages", link(["queues"], { sort: "oldest_ready_age_ms", sort_reverse: true }), "age late wait"),
    lead("Ask where a message would go", link(["where"]), "route trace routing binding"),
    ...make("Make a queue", "queues", "management", ""),
    ...make("Make an exchange", "exchanges", "management", ""),
    ...make("Make a policy", "policies", "policymaker", "limit ttl"),
    ...make("Make a user", "users", "administrator", "account password"),
    ...make("Make a virtual host", "vhosts", "administrator", "vhost"),
    ...(may("administrator") ? [lead("Export or import definitions", link(["definitions"]), "backup restore")] : []),
    act("Use dark colours", () => theme.set("dark"), "theme night mode"),
    act("Use light colours", () => theme.set("light"), "theme day mode"),
    act("Use the system's colours", () => theme.set("auto"), "theme mode"),
    act("Ask the broker now", askNow, "refresh reload again"),
    act("Stop asking the broker again", () => refreshSeconds.set(0), "pause refresh never"),
    act("Ask the broker every 5 seconds", () => refreshSeconds.set(5), "refresh live"),
    lead("Log out", link(["logout"]), "leave quit"),
  ];
}

/** Asks the broker for things with such a name. */
async function things(typed: string, signal: AbortSignal): Promise<Offer[]> {
  const query = (columns: string) => queryText({ page: 1, page_size: OF_A_KIND, name: typed, columns, disable_stats: true });
  const list = <T,>(path: string, columns: string) => get<Page<T>>(path + query(columns), signal).then((page) => page.items, () => [] as T[]);
  const [queues, exchanges, connections, users] = await Promise.all([
    list<Queue>("/api/queues", "name,vhost"),
    list<Exchange>("/api/exchanges", "name,vhost"),
    list<Connection>("/api/connections", "name,user_provided_name"),
    may("administrator") ? get<User[]>("/api/users", signal).then((all) => all, () => []) : [],
  ]);
  return [
    ...queues.map(({ name, vhost }): Offer => ({ id: `queue ${vhost} ${name}`, title: name, kind: "queue", words: vhost, href: link(["queues", vhost, name]) })),
    ...exchanges.filter((one) => one.name).map(({ name, vhost }): Offer => ({ id: `exchange ${vhost} ${name}`, title: name, kind: "exchange", words: vhost, href: link(["exchanges", vhost, name]) })),
    ...connections.map((one): Offer => ({ id: `connection ${one.name}`, title: one.user_provided_name || one.name, kind: "connection", words: one.name, href: link(["connections", one.name]) })),
    ...users.map(({ name }): Offer => ({ id: `user ${name}`, title: name, kind: "user", href: link(["users", name]) })),
  ];
}

/** Finds anything by its name: opened with Ctrl-K. */
export function Palette({ onClose }: { onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const [found, setFound] = useState<Offer[]>([]);
  // By its name, not its place: what is found later may stand before it.
  const [chosen, setChosen] = useState<string>();
  useEffect(() => {
    const wanted = typed.trim();
    if (wanted === "") {
      setFound([]);
      return;
    }
    const abort = new AbortController();
    const timer = setTimeout(() => void things(wanted, abort.signal).then((all) => !abort.signal.aborted && setFound(all)), REST_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [typed]);
  const offers = ranked([...pages(), ...found, ...acts()], typed, SHOWN);
  const at = Math.max(0, offers.findIndex((offer) => offer.id === chosen));
  const open = (offer: Offer | undefined) => {
    if (!offer) return;
    onClose();
    offer.run?.();
    if (offer.href) location.hash = offer.href;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && offers.length > 0) {
      event.preventDefault();
      setChosen(offers[(at + step + offers.length) % offers.length]?.id);
    }
    // A search field would only clear itself.
    if (event.key === "Escape") {
      event.preventDefault();
      onClose();
    }
    if (event.key === "Enter") {
      event.preventDefault();
      open(offers[at]);
    }
  };
  return (
    <Dialog title="Find" onClose={onClose}>
      <input
        {...KIND}
        aria-label="Find a queue, exchange, connection, user, page or act"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={offers.length > 0 ? `offer-${at}` : undefined}
        placeholder="A queue, exchange, connection, user, page or act"
        value={typed}
        autofocus
        autoComplete="off"
        spellcheck={false}
        onInput={(event) => (setTyped(event.currentTarget.value), setChosen(undefined))}
        onKeyDown={onKeyDown}
      />
      <ul id="palette-list" class="palette" role="listbox" aria-label="What was found">
        {offers.map((offer, index) => (
          <li key={offer.id} id={`offer-${index}`} role="option" aria-selected={index === at} onClick={() => open(offer)} onPointerMove={() => setChosen(offer.id)}>
            <bdi>{visible(offer.title)}</bdi>
            <span class="faint">
              {offer.kind}
              {offer.words && (offer.kind === "queue" || offer.kind === "exchange") ? ` in ${visible(offer.words)}` : ""}
            </span>
          </li>
        ))}
        {offers.length === 0 && <li class="faint">Nothing has this name.</li>}
      </ul>
    </Dialog>
  );
}
