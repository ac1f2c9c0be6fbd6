import { useEffect, useState } from "preact/hooks";
import { del, put } from "../api/client";
import { detailsOf, rateOf, type Queue } from "../api/types";
import { usePoll } from "../state/poll";
import { adjust, go, link, path, place } from "../state/route";
import { may } from "../state/session";
import { useStore } from "../state/store";
import { Badge, Head, Missing, Name, Note, Tabs, Waiting } from "../ui/basics";
import { ACKNOWLEDGED, ChartSection, IN, OUT, READY, REDELIVERED, UNACKED } from "../ui/chart-section";
import { ask } from "../ui/dialog";
import { count, counted, rate } from "../ui/format";
import { aligned, extended, lengths, rates, type Series } from "../ui/samples";
import { type Tile, Tiles } from "../ui/tiles";
import { QueueArguments } from "./queue-arguments";
import { QueueBindings } from "./queue-bindings";
import { QueueConsumers } from "./queue-consumers";
import { QueueMessages } from "./queue-messages";
import { PublishDialog } from "./publish";
import { Features } from "./queues";
import type { PageProps } from "./routes";

const KEEP_MS = 3_600_000;
const RATES = ["publish", "deliver_get", "ack", "redeliver"];

/** The samples of a minute that the broker keeps, and those that this page has seen. */
function useHistory(queue: Queue | undefined): Series[] {
  const [seen, setSeen] = useState<Series[]>([]);
  useEffect(() => {
    if (!queue) return;
    const fresh = [
      lengths(queue.messages_ready_details),
      lengths(queue.messages_unacknowledged_details),
      ...RATES.map((name) => rates(detailsOf(queue.message_stats, name))),
    ];
    setSeen((old) => fresh.map((series, at) => extended(old[at] ?? { times: [], values: [] }, series, KEEP_MS)));
  }, [queue]);
  return seen;
}

export function QueuePage({ args }: PageProps) {
  const [vhost = "", name = ""] = args;
  const { query } = useStore(place);
  const tab = query.get("tab") ?? "";
  const base = `/api/queues${path(vhost, name)}`;
  const polled = usePoll<Queue>(`${base}?lengths_age=60&lengths_incr=5&msg_rates_age=60&msg_rates_incr=5`, base);
  const [isPublishing, setPublishing] = useState(false);
  const queue = polled.data;
  const history = useHistory(queue);

  if (polled.error?.isAbsent) {
    return (
      <>
        <Head title={<Name of={name} />} crumbs={[{ text: "Queues", href: link(["queues"]) }]} />
        <Note tone="warn">
          There is no such queue in virtual host '<Name of={vhost} />'. It may have been deleted, or has not been declared yet.
        </Note>
      </>
    );
  }
  const tabs = [
    { id: "", title: "Overview" },
    { id: "messages", title: "Messages" },
    { id: "bindings", title: "Bindings" },
    { id: "consumers", title: <>Consumers {queue && <span class="tab-count">{count(queue.consumers)}</span>}</> },
    { id: "arguments", title: "Arguments and policy" },
  ];
  return (
    <>
      <Head
        title={<Name of={name} />}
        crumbs={[{ text: "Queues", href: link(["queues"]) }, { text: <>virtual host <Name of={vhost} /></> }]}
        about={queue && <Features of={queue} />}
      >
        {queue && <QueueActs queue={queue} refresh={polled.refresh} onPublish={() => setPublishing(true)} />}
      </Head>
      <Waiting polled={polled} what="the queue" />
      {queue?.state === "paused" && <Note tone="warn">This queue is paused: it delivers nothing until it is resumed, or the broker is started again.</Note>}
      {queue && <QueueNumbers queue={queue} />}
      <Tabs label="Parts of the queue" tabs={tabs} chosen={tab} onChoose={(id) => adjust({ tab: id })} />
      {queue && (
        <div role="tabpanel" aria-labelledby={`tab-${tab}`}>
          {tab === "" && <QueueCharts history={history} />}
          {tab === "messages" && <QueueMessages queue={queue} refresh={polled.refresh} />}
          {tab === "bindings" && <QueueBindings queue={queue} />}
          {tab === "consumers" && <QueueConsumers queue={queue} />}
          {tab === "arguments" && <QueueArguments queue={queue} />}
        </div>
      )}
      {isPublishing && <PublishDialog vhost={vhost} exchange="" routingKey={name} onClose={() => setPublishing(false)} after={polled.refresh} />}
    </>
  );
}

interface QueueActsProps {
  queue: Queue;
  refresh: () => void;
  onPublish: () => void;
}

function QueueActs({ queue, refresh, onPublish }: QueueActsProps) {
  const base = `/api/queues${path(queue.vhost, queue.name)}`;
  const ready = queue.messages_ready ?? 0;
  const messages = queue.messages ?? 0;
  const consumers = queue.consumers ?? 0;
  const isPaused = queue.state === "paused";
  const word = isPaused ? "resume" : "pause";
  const pause = () =>
    ask({
      title: isPaused ? `Resume '${queue.name}'?` : `Pause '${queue.name}'?`,
      text: isPaused
        ? `It delivers again to ${counted(consumers, "consumer")}.`
        : "It delivers nothing until it is resumed, or the broker is started again. Publishers go on, and messages still expire.",
      act: isPaused ? "Resume" : "Pause",
      isHarmless: true,
      run: () => put(`/api/leveret/queues${path(queue.vhost, queue.name)}/${word}`).then(refresh),
      done: isPaused ? "The queue delivers again." : "The queue is paused.",
    });
  const purge = () =>
    ask({
      title: `Purge '${queue.name}'?`,
      text: `${counted(ready, "ready message")} will be gone for good. ${counted(queue.messages_unacknowledged ?? 0, "message")} that consumers hold stay.`,
      act: "Purge",
      typed: ready > 0 ? queue.name : undefined,
      run: () => del(`${base}/contents`).then(refresh),
      done: "The queue is purged.",
    });
  const remove = () =>
    ask({
      title: `Delete '${queue.name}'?`,
      text: `With it go ${counted(messages, "message")} and all its bindings, for good. ${counted(consumers, "consumer")} will be cancelled.`,
      act: "Delete",
      typed: messages > 0 ? queue.name : undefined,
      run: async () => {
        await del(base);
        go(["queues"]);
      },
      done: `Queue '${queue.name}' is deleted.`,
    });
  return (
    <>
      <button type="button" onClick={onPublish}>
        Publish
      </button>
      {may("policymaker") && (
        <button type="button" onClick={pause}>
          {isPaused ? "Resume" : "Pause"}
        </button>
      )}
      <button type="button" class="danger-quiet" onClick={purge}>
        Purge
      </button>
      <button type="button" class="danger-quiet" onClick={remove}>
        Delete
      </button>
      {!may("policymaker") && (
        <Missing>Pausing a queue needs the tag policymaker or administrator.</Missing>
      )}
    </>
  );
}

function QueueNumbers({ queue }: { queue: Queue }) {
  const stats = queue.message_stats;
  const tiles: Tile[] = [
    { title: "Ready", value: count(queue.messages_ready), unit: "messages wait" },
    { title: "Unacked", value: count(queue.messages_unacknowledged), unit: "messages held" },
    { title: "In", value: rate(rateOf(stats, "publish")), unit: "messages/s" },
    { title: "Out", value: rate(rateOf(stats, "deliver_get")), unit: "messages/s" },
    { title: "Acked", value: rate(rateOf(stats, "ack")), unit: "messages/s" },
    { title: "Consumers", value: count(queue.consumers), unit: "subscriptions" },
  ];
  if (queue.state !== "running") tiles.push({ title: "State", value: <Badge tone="warn">{queue.state}</Badge> });
  return <Tiles label="Numbers" tiles={tiles} />;
}

function QueueCharts({ history }: { history: Series[] }) {
  const since = <span class="faint">the last minute, and while this page is open</span>;
  return (
    <div class="columns charts">
      <ChartSection title="Messages" aside={since} all={aligned(history.slice(0, 2))} format={count} lines={[READY, UNACKED]} />
      <ChartSection title="Messages a second" all={aligned(history.slice(2))} format={rate} lines={[IN, OUT, ACKNOWLEDGED, REDELIVERED]} />
    </div>
  );
}
