import type { Consumer } from "../api/types";
import { listActs, useList } from "../state/list";
import { link } from "../state/route";
import { Arguments, Badge, Head, Name } from "../ui/basics";
import { count, duration } from "../ui/format";
import { Filter, Listed } from "../ui/list";
import { ColumnChooser, keysOf, Table, useColumns, type Column } from "../ui/table";
import { queueLink } from "./queues";
import type { PageProps } from "./routes";

export function ConsumerState({ of }: { of: Consumer }) {
  const state = of.activity_status ?? (of.active ? "up" : "waiting");
  return <Badge tone={state === "blocked" ? "warn" : "quiet"}>{state.replace("_", " ")}</Badge>;
}

export const CONSUMER_COLUMNS: Column<Consumer>[] = [
  { id: "tag", title: "Consumer tag", sort: "consumer_tag", cell: (consumer) => <Name of={consumer.consumer_tag} /> },
  {
    id: "queue",
    title: "Queue",
    sort: "queue.name",
    cell: (consumer) => (
      <a href={queueLink(consumer.queue)} class="main-link">
        <Name of={consumer.queue.name} />
      </a>
    ),
  },
  { id: "vhost", title: "Virtual host", sort: "queue.vhost", cell: (consumer) => <Name of={consumer.queue.vhost} /> },
  {
    id: "channel",
    title: "Channel",
    sort: "channel_details.name",
    cell: (consumer) => consumer.channel_details && <a href={link(["channels", consumer.channel_details.name])}><Name of={consumer.channel_details.name} /></a>,
  },
  { id: "state", title: "State", sort: "activity_status", keys: ["activity_status", "active"], cell: (consumer) => <ConsumerState of={consumer} /> },
  { id: "ack", title: "Acknowledges", sort: "ack_required", cell: (consumer) => (consumer.ack_required ? "yes" : "no, automatic") },
  { id: "exclusive", title: "Exclusive", sort: "exclusive", cell: (consumer) => (consumer.exclusive ? "yes" : "no") },
  { id: "prefetch", title: "Prefetch", sort: "prefetch_count", isNumber: true, cell: (consumer) => (consumer.prefetch_count ? count(consumer.prefetch_count) : "no limit") },
  { id: "timeout", title: "Time to ack", sort: "consumer_timeout", isNumber: true, cell: (consumer) => (consumer.consumer_timeout ? duration(consumer.consumer_timeout) : "no limit") },
  { id: "arguments", title: "Arguments", keys: ["arguments"], cell: (consumer) => <Arguments of={consumer.arguments} none="" /> },
];

/** What a row is told from others by. */
const NEEDED = ["consumer_tag", "queue", "channel_details.name"];

export function ConsumersPage(_: PageProps) {
  const columns = useColumns("consumers", CONSUMER_COLUMNS);
  const { state, polled } = useList<Consumer>("leveret/consumers", { columns: [...NEEDED, ...keysOf(columns)] });
  return (
    <>
      <Head title="Consumers" />
      <Filter label="Filter by tag, queue or channel" state={state} page={polled.data} things={["consumer", "consumers"]}>
        <ColumnChooser list="consumers" columns={CONSUMER_COLUMNS} />
      </Filter>
      <Listed polled={polled} state={state} what="the consumers" none="Nobody consumes, or nobody whom you may see: without the tag monitoring these are your own consumers.">
        {(rows) => (
          <Table
            label="Consumers"
            columns={columns}
            rows={rows}
            rowKey={(one) => `${one.channel_details?.name} ${one.consumer_tag} ${one.queue.name}`}
            order={state.order}
            onOrder={listActs.order}
          />
        )}
      </Listed>
    </>
  );
}
