import { useState } from "preact/hooks";
import { del, put } from "../api/client";
import { detailsOf, rateOf, type Queue } from "../api/types";
import { usePoll } from "../state/poll";
import { ofOne, useRange } from "../state/range";
import { adjust, go, link, path, place, queryText } from "../state/route";
import { may } from "../state/session";
import { useStore } from "../state/store";
import { Badge, Head, Missing, Name, Note, Tabs, Waiting } from "../ui/basics";
import { ACKNOWLEDGED, ChartSection, IN, OUT, READY, REDELIVERED, UNACKED } from "../ui/chart-section";
import { ask } from "../ui/dialog";
import { coarse, count, counted, noun, rate } from "../ui/format";
import { Ranges } from "../ui/ranges";
import { aligned, lengths, rates } from "../ui/samples";
import { type Tile, Tiles } from "../ui/tiles";
import { QueueArguments } from "./queue-arguments";
import { QueueBindings } from "./queue-bindings";
import { QueueConsumers } from "./queue-consumers";
import { QueueMessages } from "./queue-messages";
import { PublishDialog } from "./publish";
import { Features } from "./queues";
import type { PageProps } from "./routes";

const RATES = ["publish", "deliver_get", "ack", "redeliver"];

export function QueuePage({ args }: PageProps) {
  const [vhost = "", name = ""] = args;
  const { query } = useStore(place);
  const tab = query.get("tab") ?? "";
  const base = `/api/queues${path(vhost, name)}`;
  const range = useRange();
  const polled = usePoll<Queue>(`${base}${queryText(ofOne(range, "lengths", "msg_rates"))}`, base);
  const [isPublishing, setPublishing] = useState(false);
  const queue = polled.data;

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
          {tab === "" && <QueueCharts queue={queue} />}
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
      text: `${counted(ready, "ready message")} will be gone for good. ${counted(queue.messages_unacknowledged ?? 0, "message that a consumer holds stays", "messages that consumers hold stay")}.`,
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

const roughly = (ms: number | null | undefined) => (ms == null ? "–" : coarse(ms));

function QueueNumbers({ queue }: { queue: Queue }) {
  const stats = queue.message_stats;
  const tiles: Tile[] = [
    { title: "Ready", value: count(queue.messages_ready), unit: noun(queue.messages_ready, "message waits", "messages wait") },
    { title: "Unacked", value: count(queue.messages_unacknowledged), unit: noun(queue.messages_unacknowledged, "message held", "messages held") },
    { title: "In", value: rate(rateOf(stats, "publish")), unit: "messages/s" },
    { title: "Out", value: rate(rateOf(stats, "deliver_get")), unit: "messages/s" },
    { title: "Acked", value: rate(rateOf(stats, "ack")), unit: "messages/s" },
    { title: "Oldest ready", value: roughly(queue.oldest_ready_age_ms), unit: "waits so long" },
    { title: "Oldest unacked", value: roughly(queue.oldest_unacked_age_ms), unit: "held so long" },
    { title: "Consumers", value: count(queue.consumers), unit: noun(queue.consumers, "subscription") },
  ];
  if (queue.state !== "running") tiles.push({ title: "State", value: <Badge tone="warn">{queue.state}</Badge> });
  return <Tiles label="Numbers" tiles={tiles} />;
}

function QueueCharts({ queue }: { queue: Queue }) {
  const depth = aligned([lengths(queue.messages_ready_details), lengths(queue.messages_unacknowledged_details)]);
  const flow = aligned(RATES.map((name) => rates(detailsOf(queue.message_stats, name))));
  return (
    <div class="columns charts">
      <ChartSection title="Messages" aside={<Ranges />} all={depth} format={count} lines={[READY, UNACKED]} />
      <ChartSection title="Messages a second" all={flow} format={rate} lines={[IN, OUT, ACKNOWLEDGED, REDELIVERED]} />
    </div>
  );
}
