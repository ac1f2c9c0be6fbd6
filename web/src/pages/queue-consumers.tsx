import type { Channel, Connection, Consumer, Page, Queue } from "../api/types";
import { rateOf } from "../api/types";
import { usePoll } from "../state/poll";
import { link, queryText } from "../state/route";
import { Empty, Name, Note } from "../ui/basics";
import { count, counted, rate } from "../ui/format";
import { Table, type Column } from "../ui/table";
import { ConsumerState } from "./consumers";

interface Row {
  consumer: Consumer;
  channel: Channel | undefined;
  /** What its program calls its connection. */
  program: string;
}

const channelLink = (name: string) => link(["channels", name]);

const COLUMNS: Column<Row>[] = [
  { id: "tag", title: "Consumer tag", cell: ({ consumer }) => <Name of={consumer.consumer_tag} /> },
  {
    id: "connection",
    title: "Connection",
    cell: ({ consumer, program }) =>
      consumer.channel_details ? (
        <a href={link(["connections", consumer.channel_details.connection_name])}>
          <Name of={program || consumer.channel_details.connection_name} />
        </a>
      ) : (
        "–"
      ),
  },
  {
    id: "channel",
    title: "Channel",
    isNumber: true,
    cell: ({ consumer }) => consumer.channel_details && <a href={channelLink(consumer.channel_details.name)}>{consumer.channel_details.number}</a>,
  },
  {
    id: "state",
    title: "State",
    cell: ({ consumer }) => <ConsumerState of={consumer} />,
  },
  { id: "ack", title: "Acknowledges", cell: ({ consumer }) => (consumer.ack_required ? "yes" : "no, automatic") },
  { id: "prefetch", title: "Prefetch", isNumber: true, cell: ({ consumer }) => (consumer.prefetch_count === 0 ? "no limit" : count(consumer.prefetch_count)) },
  { id: "unacked", title: "Unacked on its channel", isNumber: true, cell: ({ channel }) => count(channel?.messages_unacknowledged) },
  { id: "acks", title: "Ack /s", isNumber: true, cell: ({ channel }) => (channel ? rate(rateOf(channel.message_stats, "ack")) : "–") },
];

/** Who consumes from a queue, and who holds what. */
export function QueueConsumers({ queue }: { queue: Queue }) {
  const consumers = queue.consumer_details ?? [];
  const query = queryText({ page: 1, page_size: 500, sort: "messages_unacknowledged", sort_reverse: true });
  const channels = usePoll<Page<Channel>>(consumers.length ? `/api/channels${query}` : null, "channels of consumers");
  const byName = new Map((channels.data?.items ?? []).map((channel) => [channel.name, channel]));
  const known = usePoll<Connection[]>(consumers.length ? "/api/connections?columns=name,user_provided_name" : null, "names of connections", { atLeastMs: 10_000 });
  const programs = new Map((known.data ?? []).map((connection) => [connection.name, connection.user_provided_name ?? ""]));
  const rows = consumers.map((consumer) => ({
    consumer,
    channel: byName.get(consumer.channel_details?.name ?? ""),
    program: programs.get(consumer.channel_details?.connection_name ?? "") ?? "",
  }));
  const idle = rows.filter(
    ({ consumer, channel }) => consumer.ack_required && channel && (channel.messages_unacknowledged ?? 0) > 0 && rateOf(channel.message_stats, "ack") === 0,
  );
  if (rows.length === 0) {
    return (
      <Empty>
        Nobody consumes from this queue
        {queue.messages_ready ? `, and ${counted(queue.messages_ready, "message waits", "messages wait")}.` : "."}
      </Empty>
    );
  }
  return (
    <div class="stack">
      {idle.length > 0 && (
        <Note tone="warn">
          {counted(idle.length, "consumer holds", "consumers hold")} messages and acknowledges none at the moment. With a prefetch that is used up, it is given nothing more.
        </Note>
      )}
      <Table label="Consumers" columns={COLUMNS} rows={rows} rowKey={({ consumer }) => `${consumer.channel_details?.name} ${consumer.consumer_tag}`} />
    </div>
  );
}
