import { useMemo, useRef, useState } from "preact/hooks";
import { del, put } from "../api/client";
import { rateOf, type Queue } from "../api/types";
import { listActs, useList } from "../state/list";
import { link, path, useFlag } from "../state/route";
import { vhostFilter } from "../state/preferences";
import { may } from "../state/session";
import { useStore } from "../state/store";
import { Trends } from "../state/trends";
import { Badge, Head, Missing, Name } from "../ui/basics";
import { Sparkline } from "../ui/chart";
import { ask } from "../ui/dialog";
import { age, bytes, count, counted, rate } from "../ui/format";
import { Filter, Listed } from "../ui/list";
import { ColumnChooser, keysOf, Table, useColumns, type Column } from "../ui/table";
import { each } from "./acts";
import { NewQueue } from "./new-queue";
import type { PageProps } from "./routes";

export const queueLink = (queue: { vhost: string; name: string }, tab?: string, state?: string) => link(["queues", queue.vhost, queue.name], { tab, state });

/** What arguments and flags mean, in short. */
export function Features({ of }: { of: Queue }) {
  const marks: [boolean, string, string][] = [
    [of.type === "quorum", "quorum", "a quorum queue"],
    [!of.durable, "transient", "gone with a restart"],
    [of.auto_delete, "auto-delete", "deleted with its last consumer"],
    [of.exclusive, "exclusive", "of one connection"],
    ["x-dead-letter-exchange" in of.arguments, "dead-letters", `dead letters go to exchange '${String(of.arguments["x-dead-letter-exchange"])}'`],
    ["x-message-ttl" in of.arguments, "TTL", `messages live ${String(of.arguments["x-message-ttl"])} ms`],
    ["x-max-length" in of.arguments || "x-max-length-bytes" in of.arguments, "limited", "its length is limited"],
    ["x-max-priority" in of.arguments, "priorities", `priorities up to ${String(of.arguments["x-max-priority"])}`],
    ["x-single-active-consumer" in of.arguments, "single active", "one consumer at a time"],
  ];
  const here = marks.filter(([is]) => is);
  return (
    <span class="marks">
      {here.map(([, mark, about]) => (
        <Badge key={mark} title={about}>
          {mark}
        </Badge>
      ))}
      {of.policy && <Badge title={`policy '${of.policy}' applies`}>policy</Badge>}
    </span>
  );
}

export function QueueState({ of }: { of: Queue }) {
  if (of.state === "running") return <span class="faint">running</span>;
  return <Badge tone={of.state === "paused" ? "warn" : "bad"}>{of.state}</Badge>;
}

const statRate = (name: string) => (queue: Queue) => rate(rateOf(queue.message_stats, name));

/** The columns; that of the last minute is drawn from what was seen before. */
const columnsOf = (trend: (queue: Queue) => number[]): Column<Queue>[] => [
  {
    id: "name",
    title: "Name",
    sort: "name",
    cell: (queue) => (
      <a href={queueLink(queue)} class="main-link">
        <Name of={queue.name} />
      </a>
    ),
  },
  { id: "vhost", title: "Virtual host", sort: "vhost", cell: (queue) => <Name of={queue.vhost} /> },
  {
    id: "features",
    title: "Features",
    keys: ["type", "durable", "auto_delete", "exclusive", "arguments", "policy"],
    cell: (queue) => <Features of={queue} />,
  },
  { id: "state", title: "State", sort: "state", cell: (queue) => <QueueState of={queue} /> },
  { id: "ready", title: "Ready", about: "Ready, messages", sort: "messages_ready", isNumber: true, cell: (queue) => count(queue.messages_ready) },
  { id: "unacked", title: "Unacked", about: "Unacknowledged, messages", sort: "messages_unacknowledged", isNumber: true, cell: (queue) => count(queue.messages_unacknowledged) },
  { id: "total", title: "Total", about: "Total, messages", sort: "messages", isNumber: true, isExtra: true, cell: (queue) => count(queue.messages) },
  { id: "oldest", title: "Oldest", about: "How long the oldest ready message has waited", sort: "oldest_ready_age_ms", isNumber: true, cell: (queue) => age(queue.oldest_ready_age_ms) },
  { id: "oldest-unacked", title: "Held for", about: "How long the oldest unacknowledged message has been held", sort: "oldest_unacked_age_ms", isNumber: true, isExtra: true, cell: (queue) => age(queue.oldest_unacked_age_ms) },
  {
    id: "trend",
    title: "Last minute",
    about: "Messages in the last minute",
    keys: ["messages"],
    cell: (queue) => <Sparkline values={trend(queue)} label={`${counted(queue.messages ?? 0, "message")} now`} />,
  },
  { id: "in", title: "In /s", about: "In, messages a second", sort: "message_stats.publish_details.rate", isNumber: true, cell: statRate("publish") },
  { id: "out", title: "Out /s", about: "Out, messages a second", sort: "message_stats.deliver_get_details.rate", isNumber: true, cell: statRate("deliver_get") },
  { id: "ack", title: "Ack /s", about: "Acknowledged, messages a second", sort: "message_stats.ack_details.rate", isNumber: true, cell: statRate("ack") },
  { id: "redeliver", title: "Again /s", about: "Redelivered, messages a second", sort: "message_stats.redeliver_details.rate", isNumber: true, isExtra: true, cell: statRate("redeliver") },
  { id: "consumers", title: "Consumers", sort: "consumers", isNumber: true, cell: (queue) => count(queue.consumers) },
  { id: "use", title: "Capacity", about: "Share of the time in which consumers could take more", sort: "consumer_utilisation", isNumber: true, isExtra: true, cell: (queue) => `${Math.round((queue.consumer_utilisation ?? 0) * 100)} %` },
  { id: "bytes", title: "Size", about: "Size of the ready messages", sort: "message_bytes_ready", isNumber: true, isExtra: true, cell: (queue) => bytes(queue.message_bytes_ready) },
  { id: "memory", title: "Memory", about: "Memory for its entries", sort: "memory", isNumber: true, isExtra: true, cell: (queue) => bytes(queue.memory) },
];

/** What links and questions before an act are made of, whatever is shown. */
const NEEDED = ["name", "vhost", "messages", "messages_ready"];

const queueKey = (queue: Queue) => `${queue.vhost}\n${queue.name}`;

export function QueuesPage(_: PageProps) {
  const filter = useStore(vhostFilter);
  const trends = useMemo(() => new Trends(), []);
  const seen = useRef({ at: 0 });
  const every = useMemo(() => columnsOf((queue) => trends.of(queueKey(queue), seen.current.at)), []);
  const all = filter ? every.filter((column) => column.id !== "vhost") : every;
  const columns = useColumns("queues", all);
  const keys = [...NEEDED, ...keysOf(columns)];
  const first = { columns: [...new Set([...keys, "messages_details.samples"])].join(), lengths_age: 60, lengths_incr: 5 };
  const { state, polled, vhost } = useList<Queue>("queues", { columns: keys, first });
  if (polled.data && polled.at !== seen.current.at) {
    seen.current.at = polled.at;
    trends.note(polled.data.items.map((queue) => ({ key: queueKey(queue), value: queue.messages ?? 0, samples: queue.messages_details?.samples })), polled.at);
  }
  const [selected, setSelected] = useState(new Set<string>());
  const [isNew, setNew] = useFlag("new");
  const chosen = (polled.data?.items ?? []).filter((queue) => selected.has(queueKey(queue)));
  const after = () => {
    setSelected(new Set());
    polled.refresh();
  };
  return (
    <>
      <Head title="Queues">
        <button type="button" class="primary" onClick={() => setNew(true)}>
          New queue
        </button>
      </Head>
      <Filter label="Filter by name" state={state} page={polled.data} things={["queue", "queues"]}>
        <ColumnChooser list="queues" columns={all} />
      </Filter>
      {chosen.length > 0 && <Selection chosen={chosen} after={after} onForget={() => setSelected(new Set())} />}
      <Listed
        polled={polled}
        state={state}
        what="the queues"
        none="There is no queue yet. A program declares one, or you make one with “New queue”."
      >
        {(rows) => (
          <Table
            label="Queues"
            columns={columns}
            rows={rows}
            rowKey={queueKey}
            rowName={(queue) => queue.name}
            order={state.order}
            onOrder={listActs.order}
            selected={selected}
            onSelect={setSelected}
          />
        )}
      </Listed>
      {isNew && <NewQueue vhost={vhost} onClose={() => setNew(false)} after={polled.refresh} />}
    </>
  );
}

/** What can be done with several queues at once. */
function Selection({ chosen, after, onForget }: { chosen: Queue[]; after: () => void; onForget: () => void }) {
  const ready = chosen.reduce((sum, queue) => sum + (queue.messages_ready ?? 0), 0);
  const messages = chosen.reduce((sum, queue) => sum + (queue.messages ?? 0), 0);
  const queues = counted(chosen.length, "queue");
  const at = (queue: Queue) => `/api/queues${path(queue.vhost, queue.name)}`;
  const pause = (word: "pause" | "resume") =>
    ask({
      title: word === "pause" ? `Pause ${queues}?` : `Resume ${queues}?`,
      text: word === "pause" ? "They deliver nothing until they are resumed, or the broker is started again. Publishers go on." : "They deliver again.",
      act: word === "pause" ? "Pause" : "Resume",
      isHarmless: true,
      run: () => each(chosen, (queue) => put(`/api/leveret/queues${path(queue.vhost, queue.name)}/${word}`)).finally(after),
      done: `${queues} ${word}d.`,
    });
  return (
    <div class="selection" role="group" aria-label="What to do with the selected queues">
      <strong>{queues} selected</strong>
      <button
        type="button"
        class="danger-quiet"
        onClick={() =>
          ask({
            title: `Purge ${queues}?`,
            text: <ChosenNames of={chosen} text={`${counted(ready, "ready message")} will be gone for good. Those that consumers hold stay.`} />,
            act: "Purge",
            typed: ready > 0 ? queues : undefined,
            run: () => each(chosen, (queue) => del(`${at(queue)}/contents`)).finally(after),
            done: `${queues} purged.`,
          })
        }
      >
        Purge
      </button>
      <button
        type="button"
        class="danger-quiet"
        onClick={() =>
          ask({
            title: `Delete ${queues}?`,
            text: <ChosenNames of={chosen} text={`With them go ${counted(messages, "message")} and all their bindings, for good.`} />,
            act: "Delete",
            typed: messages > 0 ? queues : undefined,
            run: () => each(chosen, (queue) => del(at(queue))).finally(after),
            done: `${queues} deleted.`,
          })
        }
      >
        Delete
      </button>
      {may("policymaker") && (
        <>
          <button type="button" onClick={() => pause("pause")}>
            Pause
          </button>
          <button type="button" onClick={() => pause("resume")}>
            Resume
          </button>
        </>
      )}
      {!may("policymaker") && <Missing>Pausing queues needs the tag policymaker or administrator.</Missing>}
      <button type="button" class="plain" onClick={onForget}>
        Select none
      </button>
    </div>
  );
}

function ChosenNames({ of, text }: { of: Queue[]; text: string }) {
  return (
    <>
      <p>{text}</p>
      <ul class="name-list">
        {of.slice(0, 10).map((queue) => (
          <li key={queueKey(queue)}>
            <Name of={queue.name} /> <span class="faint">{counted(queue.messages ?? 0, "message")}</span>
          </li>
        ))}
        {of.length > 10 && <li class="faint">and {of.length - 10} more</li>}
      </ul>
    </>
  );
}
