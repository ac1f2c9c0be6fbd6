import { useState } from "preact/hooks";
import { post } from "../api/client";
import type { Message, Peeked } from "../api/leveret";
import type { Queue } from "../api/types";
import { usePoll } from "../state/poll";
import { adjust, path, place, queryText } from "../state/route";
import { useStore } from "../state/store";
import { useSearch } from "../state/use-search";
import { Badge, Empty, Failure, Loading, Name, Note } from "../ui/basics";
import { ask, Dialog } from "../ui/dialog";
import { bytes, count, counted, duration } from "../ui/format";
import { BodyButton, MessageView } from "../ui/message";
import { deathsOf } from "../ui/deaths";
import { OffsetPager } from "../ui/offset-pager";
import { Table, type Column } from "../ui/table";
import { DeadLetterWay } from "./dead-letter-way";
import { GetMessages } from "./get-messages";
import { type MessageRef, MoveDialog } from "./move";
import { queueLink } from "./queues";
import { RedriveDialog } from "./redrive";
import { SearchProgress } from "./search-progress";

const LIMIT = 50;

const STATES: [string, string][] = [
  ["ready", "Ready"],
  ["unacked", "Unacked"],
  ["delayed", "Held back"],
  ["dead", "Dead, not taken yet"],
];

/** Looks at the messages of a queue without touching them, and acts on those that are chosen. */
export function QueueMessages({ queue, refresh }: { queue: Queue; refresh: () => void }) {
  const { query } = useStore(place);
  const state = query.get("state") ?? "ready";
  const offset = Math.max(0, Number(query.get("offset")) || 0);
  const [wanted, setWanted] = useState("");
  const [chosen, setChosen] = useState(new Set<string>());
  const [open, setOpen] = useState<Message>();
  const [isMoving, setMoving] = useState(false);
  const [isRedriving, setRedriving] = useState(false);
  const base = `/api/leveret/queues${path(queue.vhost, queue.name)}`;
  const polled = usePoll<Peeked>(`${base}/peek${queryText({ state, offset, limit: LIMIT })}`, `${base} ${state}`);
  const searching = useSearch(base, state, wanted.trim());
  const isSearch = wanted.trim() !== "";
  const isUnserved = polled.error?.isAbsent ?? false;
  const listed = polled.data?.messages ?? [];
  const shown = isSearch ? searching.search.found : listed;
  const picked = shown.filter((message) => chosen.has(String(message.id)));
  const after = () => {
    setChosen(new Set());
    polled.refresh();
    if (isSearch) searching.again();
    refresh();
  };
  const refs = picked.map(({ position, id }) => ({ position, id }));

  if (isUnserved) {
    return (
      <div class="stack">
        <Note>This broker does not serve looking at messages without touching them (status 404 for {base}/peek). Getting them works.</Note>
        <GetMessages queue={queue} after={refresh} />
      </div>
    );
  }
  return (
    <div class="stack">
      <div class="filter">
        <div class="segments" role="group" aria-label="Which messages">
          {STATES.map(([id, title]) => (
            <button key={id} type="button" aria-pressed={state === id} onClick={() => (setChosen(new Set()), adjust({ state: id === "ready" ? undefined : id, offset: undefined }))}>
              {title}
            </button>
          ))}
        </div>
        <input type="search" aria-label="Search in bodies and headers" placeholder="Search in bodies and headers" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
        <span class="spring" />
        <button type="button" onClick={() => setRedriving(true)}>
          Send back or move all
        </button>
      </div>
      <div>
        <p class="faint">Looking changes nothing: no order, no count, no flag.</p>
        <DeadLetterWay queue={queue} />
      </div>
      {isSearch && <SearchProgress searching={searching} isConsumed={state === "ready" && (queue.consumers ?? 0) > 0} />}
      {picked.length > 0 && <Selection base={base} refs={refs} after={after} onMove={() => setMoving(true)} />}
      {!polled.error?.isUnreachable && <Failure error={polled.error} what="Cannot look at the messages" />}
      {!polled.data && !polled.error && <Loading />}
      {!isSearch && polled.data && shown.length === 0 && <Empty>{state === "ready" ? <NoneReady queue={queue} /> : "No messages are in this state."}</Empty>}
      {isSearch && !searching.isRunning && searching.search.next === null && shown.length === 0 && <Empty>No message here has this text.</Empty>}
      {shown.length > 0 && (
        <Table
          label="Messages"
          columns={columns(state, setOpen)}
          rows={shown}
          rowKey={(message) => String(message.id)}
          rowName={(message) => `message ${count(message.position)}`}
          {...(state === "ready" ? { selected: chosen, onSelect: setChosen } : {})}
        />
      )}
      {!isSearch && polled.data && <OffsetPager offset={offset} shown={listed.length} total={polled.data.total} next={polled.data.next_offset} limit={LIMIT} back="Towards the head" on="Towards the end" />}
      <details class="form-box">
        <summary>Get messages as RabbitMQ does: takes them, or marks them as redelivered</summary>
        <GetMessages queue={queue} after={after} />
      </details>
      {open && (
        <Dialog title={`Message ${open.position !== undefined ? `at position ${count(open.position)}` : ""}`} onClose={() => setOpen(undefined)} wide>
          <FullMessage message={open} base={base} state={state} />
        </Dialog>
      )}
      {isMoving && <MoveDialog queue={queue} refs={refs} onClose={() => setMoving(false)} after={after} />}
      {isRedriving && <RedriveDialog queue={queue} onClose={() => setRedriving(false)} after={after} />}
    </div>
  );
}

/** Where the messages may be instead. */
function NoneReady({ queue }: { queue: Queue }) {
  const held = queue.messages_unacknowledged ?? 0;
  if (held === 0) return <>No messages are ready.</>;
  return (
    <>
      No messages are ready: consumers hold <a href={queueLink(queue, "messages", "unacked")}>{counted(held, "message")}</a>.
    </>
  );
}

interface SelectionProps {
  base: string;
  refs: MessageRef[];
  after: () => void;
  onMove: () => void;
}

/** What can be done with the messages that are chosen. */
function Selection({ base, refs, after, onMove }: SelectionProps) {
  const remove = () =>
    ask({
      title: `Delete ${counted(refs.length, "message")}?`,
      text: `${refs.length === 1 ? "It is" : "They are"} gone for good, and do not become dead letters.`,
      act: "Delete",
      run: () => post<Told>(`${base}/messages/delete`, { messages: refs }).finally(after),
      done: (answer) => told("deleted", answer as Told),
    });
  return (
    <div class="selection" role="group" aria-label="What to do with the selected messages">
      <strong>{counted(refs.length, "message")} selected</strong>
      <button type="button" onClick={onMove}>
        Move
      </button>
      <button type="button" class="danger-quiet" onClick={remove}>
        Delete
      </button>
    </div>
  );
}

interface Told {
  deleted?: number[];
  moved?: number[];
  not_found: number[];
  refused?: number[];
}

/** What became of the chosen messages. */
export function told(word: string, answer: Told): string {
  const done = (answer.deleted ?? answer.moved ?? []).length;
  const gone = answer.not_found.length ? ` ${counted(answer.not_found.length, "was", "were")} not there any more.` : "";
  const refused = answer.refused?.length ? ` ${counted(answer.refused.length, "stays", "stay")}: no queue took ${answer.refused.length === 1 ? "it" : "them"}.` : "";
  return `${counted(done, "message")} ${word}.${gone}${refused}`;
}

/** A list carries the beginnings of bodies; one message that is opened, more of it. */
function FullMessage({ message, base, state }: { message: Message; base: string; state: string }) {
  const isLong = message.payload_truncated ?? false;
  const query = queryText({ state, offset: message.position ?? 0, limit: 1, truncate: 1_048_576 });
  const polled = usePoll<Peeked>(isLong ? `${base}/peek${query}` : null, `one ${message.id}`, { once: true });
  const found = polled.data?.messages.find((one) => one.id === message.id);
  return <MessageView message={found ?? message} />;
}

function columns(state: string, onOpen: (message: Message) => void): Column<Message>[] {
  const position: Column<Message> = { id: "position", title: "#", isNumber: true, cell: (message) => count(message.position) };
  const body: Column<Message> = {
    id: "body",
    title: "Body",
    cell: (message) => <BodyButton of={message} onOpen={() => onOpen(message)} />,
  };
  const rest: Column<Message>[] = [
    { id: "size", title: "Size", isNumber: true, cell: (message) => bytes(message.payload_bytes) },
    { id: "exchange", title: "Exchange", cell: (message) => <Name of={message.exchange} empty="(AMQP default)" /> },
    { id: "key", title: "Routing key", cell: (message) => <Name of={message.routing_key} empty="(empty)" /> },
    { id: "marks", title: "Marks", hidesTitle: true, cell: (message) => <Marks of={message} /> },
    { id: "age", title: "Waits", isNumber: true, cell: (message) => (message.age_ms == null ? "–" : duration(message.age_ms)) },
  ];
  const holder: Column<Message> = {
    id: "holder",
    title: "Held by",
    cell: (message) => <Name of={message.consumer ? `${message.consumer.consumer_tag ?? "basic.get"} on ${message.consumer.channel}` : ""} empty="–" />,
  };
  return [position, body, ...rest, ...(state === "unacked" ? [holder] : [])];
}

function Marks({ of }: { of: Message }) {
  const deaths = deathsOf(of).reduce((sum, death) => sum + death.count, 0);
  return (
    <span class="marks">
      {of.redelivered && <Badge>redelivered</Badge>}
      {(of.delivery_count ?? 0) > 0 && <Badge tone="warn">came back {of.delivery_count}×</Badge>}
      {deaths > 0 && <Badge tone={deaths >= 10 ? "bad" : "warn"}>died {deaths}×</Badge>}
      {of.expires_at && <Badge>expires</Badge>}
    </span>
  );
}
