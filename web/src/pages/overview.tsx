import { detailsOf, rateOf, type Node, type Overview } from "../api/types";
import { usePoll } from "../state/poll";
import { ofBroker, useRange } from "../state/range";
import { link, queryText } from "../state/route";
import { may, type Tag } from "../state/session";
import { Badge, Facts, Head, Missing, Section, Waiting } from "../ui/basics";
import { ACKNOWLEDGED, ChartSection, IN, OUT, READY, REDELIVERED, UNACKED, UNROUTABLE } from "../ui/chart-section";
import { bytes, count, counted, duration, noun, rate, visible } from "../ui/format";
import { Ranges } from "../ui/ranges";
import { aligned, lengths, rates, since } from "../ui/samples";
import { type Tile, Tiles } from "../ui/tiles";
import { ClusterName } from "./cluster-name";
import { FirstSteps } from "./first-steps";
import { Verdict } from "./verdict";

export function OverviewPage() {
  const range = useRange();
  const polled = usePoll<Overview>(`/api/overview${queryText(ofBroker(range, "lengths", "msg_rates"))}`, "overview");
  const nodes = usePoll<Node[]>(may("monitoring") ? "/api/nodes" : null, "nodes");
  const overview = polled.data;
  const isEmpty = overview && overview.object_totals.queues === 0 && overview.object_totals.connections === 0;
  return (
    <>
      <Head title="Overview" />
      <Waiting polled={polled} what="the overview" />
      {overview && <Verdict overview={overview} nodes={nodes.data} at={polled.at} />}
      {overview && <Totals overview={overview} />}
      {overview && isEmpty && <FirstSteps listeners={overview.listeners ?? []} />}
      {overview && <Charts overview={overview} startedAt={polled.at - (nodes.data?.[0]?.uptime ?? Infinity)} />}
      {overview && (
        <div class="columns">
          <NodeFacts overview={overview} node={nodes.data?.[0]} after={polled.refresh} />
          <Listeners overview={overview} />
        </div>
      )}
      {overview && <Churn overview={overview} />}
      {overview && !may("administrator") && <Missing>{missing()}</Missing>}
    </>
  );
}

/** What this page says to others, and not to whoever is logged in. */
function missing(): string {
  const parts: [Tag, string][] = [
    ["monitoring", "The alerts of the broker, its alarms, memory and disk need the tag monitoring."],
    ["policymaker", "Policies that match nothing are told to users with the tag policymaker."],
    ["administrator", "The name of the cluster is changed, and definitions are exported and imported, with the tag administrator."],
  ];
  return parts.flatMap(([tag, text]) => (may(tag) ? [] : [text])).join(" ");
}

function Totals({ overview }: { overview: Overview }) {
  const totals = overview.queue_totals;
  const objects = overview.object_totals;
  const stats = overview.message_stats;
  const tile = (title: string, value: string, unit: string, href: string): Tile => ({ title, value, unit, href });
  const byMost = (sort: string) => link(["queues"], { sort, sort_reverse: true });
  const tiles = [
    tile("Ready", count(totals?.messages_ready ?? 0), noun(totals?.messages_ready, "message waits", "messages wait"), byMost("messages_ready")),
    tile("Unacked", count(totals?.messages_unacknowledged ?? 0), noun(totals?.messages_unacknowledged, "message held", "messages held"), byMost("messages_unacknowledged")),
    tile("Published", rate(rateOf(stats, "publish")), "messages/s", link(["exchanges"])),
    tile("Delivered", rate(rateOf(stats, "deliver_get")), "messages/s", link(["consumers"])),
    tile("Queues", count(objects.queues), counted(objects.exchanges, "exchange"), link(["queues"])),
    tile("Connections", count(objects.connections), counted(objects.channels ?? 0, "channel"), link(["connections"])),
    tile("Consumers", count(objects.consumers), noun(objects.consumers, "subscription"), link(["consumers"])),
  ];
  return <Tiles label="Totals" tiles={tiles} />;
}

interface ChartsProps {
  overview: Overview;
  /** What was before is not drawn: there was nothing. */
  startedAt: number;
}

function Charts({ overview, startedAt }: ChartsProps) {
  const totals = overview.queue_totals;
  const stats = overview.message_stats;
  const depth = since(aligned([lengths(totals?.messages_ready_details), lengths(totals?.messages_unacknowledged_details)]), startedAt);
  const names = ["publish", "deliver_get", "ack", "redeliver", "drop_unroutable"];
  const flow = since(aligned(names.map((name) => rates(detailsOf(stats, name)))), startedAt);
  return (
    <div class="columns charts">
      <ChartSection title="Messages in queues" aside={<Ranges />} all={depth} format={count} lines={[READY, UNACKED]} />
      <ChartSection
        title="Messages a second"
        all={flow}
        format={rate}
        lines={[{ ...IN, title: "Published" }, { ...OUT, title: "Delivered" }, ACKNOWLEDGED, REDELIVERED, UNROUTABLE]}
      />
    </div>
  );
}

/** How much of a limit is used. */
export function Meter({ used, limit, format }: { used: number | undefined; limit: number | undefined; format: (value: number | undefined) => string }) {
  if (used === undefined || !limit) return <>{format(used)}</>;
  const share = Math.min(1, used / limit);
  return (
    <span class="meter-row">
      <meter min={0} max={1} high={0.8} value={share} aria-label={`${format(used)} of ${format(limit)}`} />
      <span>
        {format(used)} <span class="faint">of {format(limit)}</span>
      </span>
    </span>
  );
}

function NodeFacts({ overview, node, after }: { overview: Overview; node: Node | undefined; after: () => void }) {
  const version = overview.leveret_version ? `Leveret ${overview.leveret_version}` : overview.product_name;
  return (
    <Section title="Node" aside={node && <a href={link(["nodes", node.name])}>All about it</a>}>
      <Facts
        of={[
          ["Name", <bdi>{visible(overview.node)}</bdi>],
          ["Cluster", <ClusterName of={overview.cluster_name} after={after} />],
          ["Version", `${version}, speaks as RabbitMQ ${overview.rabbitmq_version}`],
          ...(node
            ? ([
                ["Up for", duration(node.uptime)],
                ["Memory", <Meter used={node.mem_used} limit={node.mem_limit} format={bytes} />],
                ["Descriptors", <Meter used={node.fd_used} limit={node.fd_total} format={count} />],
                ["Disk free", `${bytes(node.disk_free)}, at least ${bytes(node.disk_free_limit)} must be`],
              ] as [string, preact.ComponentChildren][])
            : ([["Memory and disk", "are shown to users with the tag monitoring"]] as [string, string][])),
        ]}
      />
    </Section>
  );
}

/** What comes and goes: programs that connect for each message show here. */
function Churn({ overview }: { overview: Overview }) {
  const rates = overview.churn_rates;
  const line = (made: string, gone: string) => `${rate(rateOf(rates, made))} made, ${rate(rateOf(rates, gone))} gone a second`;
  return (
    <Section title="What comes and goes">
      <Facts
        of={[
          ["Connections", line("connection_created", "connection_closed")],
          ["Channels", line("channel_created", "channel_closed")],
          ["Queues", `${rate(rateOf(rates, "queue_declared"))} declared, ${line("queue_created", "queue_deleted")}`],
        ]}
      />
    </Section>
  );
}

const PROTOCOLS: Record<string, string> = {
  amqp: "AMQP",
  "amqp/ssl": "AMQP over TLS",
  http: "Management",
  https: "Management over TLS",
  "http/prometheus": "Prometheus",
};

function Listeners({ overview }: { overview: Overview }) {
  const aside = may("administrator") && <a href={link(["definitions"])}>Export or import definitions</a>;
  return (
    <Section title="Listeners" aside={aside}>
      <ul class="plain-list">
        {(overview.listeners ?? []).map((one) => (
          <li key={`${one.ip_address}:${one.port}`}>
            <span class="mono">
              {one.ip_address.includes(":") ? `[${one.ip_address}]` : one.ip_address}:{one.port}
            </span>{" "}
            {PROTOCOLS[one.protocol] ?? one.protocol} {one.tls && <Badge tone="good">TLS</Badge>}
          </li>
        ))}
      </ul>
    </Section>
  );
}
