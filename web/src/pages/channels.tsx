import { type Channel, detailsOf, rateOf } from "../api/types";
import { listActs, useList } from "../state/list";
import { usePoll } from "../state/poll";
import { ofOne, useRange } from "../state/range";
import { link, path, queryText } from "../state/route";
import { Badge, Facts, Head, Name, Note, Section, Waiting } from "../ui/basics";
import { ACKNOWLEDGED, ChartSection, IN, OUT, REDELIVERED } from "../ui/chart-section";
import { count, counted, rate } from "../ui/format";
import { Filter, Listed } from "../ui/list";
import { Ranges } from "../ui/ranges";
import { aligned, rates } from "../ui/samples";
import { ColumnChooser, keysOf, Table, useColumns, type Column } from "../ui/table";
import { connectionLink } from "./connections";
import { CONSUMER_COLUMNS } from "./consumers";
import type { PageProps } from "./routes";

const statRate = (name: string) => (channel: Channel) => rate(rateOf(channel.message_stats, name));

export function Mode({ of }: { of: Channel }) {
  return (
    <span class="marks">
      {of.confirm && <Badge title="the publisher waits for confirms">confirms</Badge>}
      {of.transactional && <Badge title="publishes in transactions">transactions</Badge>}
    </span>
  );
}

export const CHANNEL_COLUMNS: Column<Channel>[] = [
  {
    id: "name",
    title: "Channel",
    sort: "name",
    cell: (channel) => (
      <a href={link(["channels", channel.name])} class="main-link">
        <Name of={channel.name} />
      </a>
    ),
  },
  { id: "vhost", title: "Virtual host", sort: "vhost", cell: (channel) => <Name of={channel.vhost} /> },
  { id: "user", title: "User", sort: "user", cell: (channel) => <Name of={channel.user} /> },
  { id: "mode", title: "Mode", keys: ["confirm", "transactional"], cell: (channel) => <Mode of={channel} /> },
  { id: "state", title: "State", sort: "state", cell: (channel) => <span class="faint">{channel.state}</span> },
  { id: "consumers", title: "Consumers", sort: "consumer_count", isNumber: true, cell: (channel) => count(channel.consumer_count) },
  { id: "prefetch", title: "Prefetch", about: "Prefetch, messages", sort: "prefetch_count", isNumber: true, cell: (channel) => (channel.prefetch_count ? count(channel.prefetch_count) : "no limit") },
  { id: "unacked", title: "Unacked", about: "Unacknowledged, messages", sort: "messages_unacknowledged", isNumber: true, cell: (channel) => count(channel.messages_unacknowledged) },
  { id: "unconfirmed", title: "Unconfirmed", about: "Not confirmed yet, messages", sort: "messages_unconfirmed", isNumber: true, isExtra: true, cell: (channel) => count(channel.messages_unconfirmed) },
  { id: "in", title: "Publish /s", about: "Published, messages a second", sort: "message_stats.publish_details.rate", isNumber: true, cell: statRate("publish") },
  { id: "lost", title: "Unroutable /s", about: "Reach no queue, messages a second", sort: "message_stats.drop_unroutable_details.rate", keys: ["message_stats.drop_unroutable_details.rate", "message_stats.return_unroutable_details.rate"], isNumber: true, isExtra: true, cell: (channel) => rate(rateOf(channel.message_stats, "drop_unroutable") + rateOf(channel.message_stats, "return_unroutable")) },
  { id: "out", title: "Deliver /s", about: "Delivered, messages a second", sort: "message_stats.deliver_get_details.rate", isNumber: true, cell: statRate("deliver_get") },
  { id: "ack", title: "Ack /s", about: "Acknowledged, messages a second", sort: "message_stats.ack_details.rate", isNumber: true, cell: statRate("ack") },
];

export function ChannelsPage(_: PageProps) {
  const columns = useColumns("channels", CHANNEL_COLUMNS);
  const { state, polled } = useList<Channel>("channels", { isByVhost: false, columns: ["name", ...keysOf(columns)] });
  return (
    <>
      <Head title="Channels" />
      <Filter label="Filter by name" state={state} page={polled.data} things={["channel", "channels"]}>
        <ColumnChooser list="channels" columns={CHANNEL_COLUMNS} />
      </Filter>
      <Listed polled={polled} state={state} what="the channels" none="No channel is open, or none that you may see.">
        {(rows) => <Table label="Channels" columns={columns} rows={rows} rowKey={(channel) => channel.name} order={state.order} onOrder={listActs.order} />}
      </Listed>
    </>
  );
}

export function ChannelPage({ args }: PageProps) {
  const name = args[0] ?? "";
  const range = useRange();
  const base = `/api/channels${path(name)}`;
  const polled = usePoll<Channel>(`${base}${queryText(ofOne(range, "msg_rates"))}`, base);
  const channel = polled.data;
  const crumbs = [{ text: "Channels", href: link(["channels"]) }];
  if (polled.error?.isAbsent) {
    return (
      <>
        <Head title={<Name of={name} />} crumbs={crumbs} />
        <Note tone="warn">This channel is closed. If it was closed for a reason, <a href={link(["errors"])}>the errors</a> have it.</Note>
      </>
    );
  }
  const stats = channel?.message_stats;
  const isHolding = channel && (channel.messages_unacknowledged ?? 0) > 0 && rateOf(stats, "ack") === 0;
  return (
    <>
      <Head title={<Name of={name} />} crumbs={crumbs} />
      <Waiting polled={polled} what="the channel" />
      {channel && (
        <>
          {isHolding && <Note tone="warn">It holds {counted(channel.messages_unacknowledged ?? 0, "message")}, and acknowledges none at the moment.</Note>}
          <div class="columns">
            <Section title="Facts">
              <Facts
                of={[
                  ["Connection", channel.connection_details ? <a href={connectionLink(channel.connection_details.name)}><Name of={channel.connection_details.name} /></a> : "–"],
                  ["User", <Name of={channel.user} />],
                  ["Virtual host", <Name of={channel.vhost} />],
                  ["Mode", channel.confirm || channel.transactional ? <Mode of={channel} /> : "no confirms, no transactions"],
                  ["Prefetch", channel.prefetch_count ? `${counted(channel.prefetch_count, "message")} a consumer` : "no limit"],
                  ["Global prefetch", channel.global_prefetch_count ? counted(channel.global_prefetch_count, "message") : "no limit"],
                ]}
              />
            </Section>
            <Section title="Messages">
              <Facts
                of={[
                  ["Unacknowledged", count(channel.messages_unacknowledged)],
                  ["Not confirmed yet", count(channel.messages_unconfirmed)],
                  ["In an open transaction", count(channel.messages_uncommitted)],
                  ["Published", `${rate(rateOf(stats, "publish"))} messages/s`],
                  ["Reach no queue", `${rate(rateOf(stats, "drop_unroutable") + rateOf(stats, "return_unroutable"))} messages/s`],
                  ["Delivered", `${rate(rateOf(stats, "deliver_get"))} messages/s`],
                  ["Acknowledged", `${rate(rateOf(stats, "ack"))} messages/s`],
                ]}
              />
            </Section>
          </div>
          <ChartSection
            title="Messages a second"
            aside={<Ranges />}
            all={aligned(["publish", "deliver_get", "ack", "redeliver"].map((name) => rates(detailsOf(stats, name))))}
            format={rate}
            lines={[{ ...IN, title: "Published" }, { ...OUT, title: "Delivered" }, ACKNOWLEDGED, REDELIVERED]}
          />
          <Section title="Consumers">
            {(channel.consumer_details ?? []).length === 0 ? (
              <p class="empty">None on this channel.</p>
            ) : (
              <Table label="Consumers" columns={CONSUMER_COLUMNS.filter((column) => column.id !== "channel")} rows={channel.consumer_details ?? []} rowKey={(consumer) => consumer.consumer_tag} />
            )}
          </Section>
        </>
      )}
    </>
  );
}
