import { useState } from "preact/hooks";
import type { Consumer } from "../api/types";
import { usePoll } from "../state/poll";
import { vhostFilter } from "../state/preferences";
import { link, path } from "../state/route";
import { useStore } from "../state/store";
import { Arguments, Badge, Empty, Head, Name, Waiting } from "../ui/basics";
import { count, counted, duration } from "../ui/format";
import { Table, type Column } from "../ui/table";
import { queueLink } from "./queues";
import type { PageProps } from "./routes";

/** The API has no pages of consumers: so many are drawn. */
const DRAWN_MAX = 500;

export function ConsumerState({ of }: { of: Consumer }) {
  const state = of.activity_status ?? (of.active ? "up" : "waiting");
  return <Badge tone={state === "blocked" ? "warn" : "quiet"}>{state.replace("_", " ")}</Badge>;
}

export const CONSUMER_COLUMNS: Column<Consumer>[] = [
  { id: "tag", title: "Consumer tag", cell: (consumer) => <Name of={consumer.consumer_tag} /> },
  {
    id: "queue",
    title: "Queue",
    cell: (consumer) => (
      <a href={queueLink(consumer.queue)} class="main-link">
        <Name of={consumer.queue.name} />
      </a>
    ),
  },
  { id: "vhost", title: "Virtual host", cell: (consumer) => <Name of={consumer.queue.vhost} /> },
  {
    id: "channel",
    title: "Channel",
    cell: (consumer) => consumer.channel_details && <a href={link(["channels", consumer.channel_details.name])}><Name of={consumer.channel_details.name} /></a>,
  },
  { id: "state", title: "State", cell: (consumer) => <ConsumerState of={consumer} /> },
  { id: "ack", title: "Acknowledges", cell: (consumer) => (consumer.ack_required ? "yes" : "no, automatic") },
  { id: "exclusive", title: "Exclusive", cell: (consumer) => (consumer.exclusive ? "yes" : "no") },
  { id: "prefetch", title: "Prefetch", isNumber: true, cell: (consumer) => (consumer.prefetch_count ? count(consumer.prefetch_count) : "no limit") },
  { id: "timeout", title: "Time to ack", isNumber: true, cell: (consumer) => (consumer.consumer_timeout ? duration(consumer.consumer_timeout) : "no limit") },
  { id: "arguments", title: "Arguments", cell: (consumer) => <Arguments of={consumer.arguments} none="" /> },
];

export function ConsumersPage(_: PageProps) {
  const vhost = useStore(vhostFilter);
  const [wanted, setWanted] = useState("");
  const polled = usePoll<Consumer[]>(`/api/consumers${vhost ? path(vhost) : ""}`);
  const lower = wanted.toLowerCase();
  const found = (polled.data ?? []).filter((one) => [one.consumer_tag, one.queue.name, one.channel_details?.name ?? ""].some((text) => text.toLowerCase().includes(lower)));
  return (
    <>
      <Head title="Consumers" />
      <div class="filter" role="search">
        <input type="search" aria-label="Filter by tag, queue or channel" placeholder="Filter by tag, queue or channel" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
        <span class="faint" role="status">
          {polled.data && counted(found.length, "consumer")}
          {found.length > DRAWN_MAX && `, of which ${DRAWN_MAX} are shown`}
        </span>
      </div>
      <Waiting polled={polled} what="the consumers" />
      {polled.data && found.length === 0 && <Empty>{wanted ? "None matches." : "Nobody consumes."}</Empty>}
      {found.length > 0 && (
        <Table label="Consumers" columns={CONSUMER_COLUMNS} rows={found.slice(0, DRAWN_MAX)} rowKey={(one) => `${one.channel_details?.name} ${one.consumer_tag} ${one.queue.name}`} />
      )}
    </>
  );
}
