import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { readEvents } from "../api/events";
import type { Message } from "../api/leveret";
import { vhostFilter } from "../state/preferences";
import { place, queryText } from "../state/route";
import { useStore } from "../state/store";
import { Empty, Head, Name, Note } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { Text } from "../ui/fields";
import { bytes, clock, count, counted } from "../ui/format";
import { BodyButton, MessageView } from "../ui/message";
import { save } from "../ui/save";
import { Table, type Column } from "../ui/table";
import { Unserved } from "../ui/unserved";
import { queueLink } from "./queues";
import type { PageProps } from "./routes";
import { VhostChoice } from "./vhost-choice";

interface Passed extends Message {
  at: number;
  vhost: string;
  queues: string[];
  /** Counts what came to this page. */
  number: number;
}

/** So many are kept. */
const KEPT = 200;
/** What came is drawn so often: a busy broker must not stop the typing. */
const DRAW_MS = 250;

/** What is shown, the oldest first, a line of JSON each. */
function lines(messages: Passed[]): string {
  return [...messages].reverse().map(({ number: _, ...message }) => `${JSON.stringify(message)}\n`).join("");
}

const COLUMNS = (onOpen: (message: Passed) => void): Column<Passed>[] => [
  { id: "at", title: "At", cell: (message) => <span class="mono">{clock(message.at, message.at)}</span> },
  { id: "exchange", title: "Exchange", cell: (message) => <Name of={message.exchange} empty="(AMQP default)" /> },
  { id: "key", title: "Routing key", cell: (message) => <Name of={message.routing_key} empty="(empty)" /> },
  {
    id: "queues",
    title: "To queues",
    cell: (message) =>
      message.queues.length === 0 ? (
        <span class="lost">none</span>
      ) : (
        message.queues.map((queue, at) => (
          <span key={queue} class="one-of">
            <a href={queueLink({ vhost: message.vhost, name: queue })}>
              <Name of={queue} />
            </a>
            {at < message.queues.length - 1 && ","}
          </span>
        ))
      ),
  },
  {
    id: "body",
    title: "Body",
    cell: (message) => <BodyButton of={message} onOpen={() => onOpen(message)} />,
  },
  { id: "size", title: "Size", isNumber: true, cell: (message) => bytes(message.payload_bytes) },
];

/** What is published, as it passes. */
export function LivePage(_: PageProps) {
  const { query } = useStore(place);
  const filter = useStore(vhostFilter);
  const [vhost, setVhost] = useState(query.get("vhost") ?? (filter || "/"));
  const [exchange, setExchange] = useState(query.get("exchange") ?? "");
  const [queue, setQueue] = useState(query.get("queue") ?? "");
  const [key, setKey] = useState("");
  const [isRunning, setRunning] = useState(true);
  const [shown, setShown] = useState<Passed[]>([]);
  const [dropped, setDropped] = useState(0);
  const [error, setError] = useState<ApiError>();
  const [open, setOpen] = useState<Passed>();
  const number = useRef(0);
  const path = `/api/leveret/tail${queryText({ vhost, exchange, queue, key, truncate: 4096 })}`;

  // What was asked for before ends with the change, not some time after it: nothing else may come in behind "Clear" or "Pause".
  useLayoutEffect(() => {
    if (!isRunning) return;
    const abort = new AbortController();
    const waiting: Passed[] = [];
    let lost = 0;
    const draw = setInterval(() => {
      if (waiting.length > 0) {
        const fresh = waiting.splice(0).reverse();
        setShown((old) => [...fresh, ...old].slice(0, KEPT));
      }
      if (lost > 0) {
        const more = lost;
        lost = 0;
        setDropped((old) => old + more);
      }
    }, DRAW_MS);
    const follow = async () => {
      try {
        await readEvents(path, abort.signal, ({ event, data }) => {
          if (event === "dropped") lost += (JSON.parse(data) as { count: number }).count;
          if (event !== "message") return;
          waiting.push({ ...(JSON.parse(data) as Passed), number: (number.current += 1) });
          if (waiting.length > KEPT) waiting.shift();
        });
        if (!abort.signal.aborted) setRunning(false);
      } catch (failure) {
        if (abort.signal.aborted) return;
        setError(failure instanceof ApiError ? failure : new ApiError(0, "", "The stream ended.", path));
        setRunning(false);
      }
    };
    // What one types is waited for.
    const start = setTimeout(() => (setError(undefined), void follow()), 300);
    return () => {
      clearTimeout(start);
      clearInterval(draw);
      abort.abort();
    };
  }, [path, isRunning]);

  return (
    <>
      <Head title="Live" about="Messages as they are published. Nothing is consumed, and no publisher waits for this page.">
        <button type="button" class={isRunning ? "" : "primary"} onClick={() => setRunning(!isRunning)}>
          {isRunning ? "Pause" : "Go on"}
        </button>
        <button type="button" disabled={shown.length === 0} onClick={() => save("messages.jsonl", "application/jsonl", lines(shown))}>
          Save as JSON
        </button>
        <button type="button" onClick={() => (setShown([]), setDropped(0))}>
          Clear
        </button>
      </Head>
      <div class="grid-2 live-filter">
        <VhostChoice value={vhost} onChange={setVhost} />
        <Text label="Exchange" value={exchange === "amq.default" ? "" : exchange} onChange={setExchange} placeholder="all" />
        <Text label="Reaches queue" value={queue} onChange={setQueue} placeholder="any" />
        <Text label="Routing key like" value={key} onChange={setKey} placeholder="order.* or #" />
      </div>
      <Unserved error={error} what="Live" />
      {error?.isUnreachable && <Note tone="warn">The stream ended. “Go on” begins it again.</Note>}
      <p class="faint" role="status">
        {isRunning ? "Watching." : "Paused."} {counted(shown.length, "message is shown", "messages are shown")}
        {dropped > 0 && `, ${count(dropped)} passed too fast to be shown`}.
      </p>
      {shown.length === 0 && !error && <Empty>Nothing has been published since this page was opened.</Empty>}
      {shown.length > 0 && <Table label="Messages that passed" columns={COLUMNS(setOpen)} rows={shown} rowKey={(message) => String(message.number)} />}
      {open && (
        <Dialog title="Message" onClose={() => setOpen(undefined)} wide>
          <MessageView message={open} />
        </Dialog>
      )}
    </>
  );
}
