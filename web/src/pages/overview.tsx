import { useState } from "preact/hooks";
import { detailsOf, rateOf, type Node, type Overview } from "../api/types";
import { usePoll } from "../state/poll";
import { link, queryText } from "../state/route";
import { may } from "../state/session";
import { Badge, Facts, Head, Section, Waiting } from "../ui/basics";
import { ACKNOWLEDGED, ChartSection, IN, OUT, READY, REDELIVERED, UNACKED, UNROUTABLE } from "../ui/chart-section";
import { bytes, count, duration, rate, visible } from "../ui/format";
import { aligned, lengths, rates, since } from "../ui/samples";
import { type Tile, Tiles } from "../ui/tiles";
import { FirstSteps } from "./first-steps";
import { Verdict } from "./verdict";

/** Ranges of the charts: title, seconds back, seconds between samples. */
const RANGES: [string, number, number][] = [
  ["1 min", 60, 5],
  ["10 min", 600, 5],
  ["1 h", 3600, 30],
];

export function OverviewPage() {
  const [range, setRange] = useState("10 min");
  const [, age, step] = RANGES.find(([title]) => title === range) ?? ["", 600, 5];
  const query = queryText({ lengths_age: age, lengths_incr: step, msg_rates_age: age, msg_rates_incr: step });
  const polled = usePoll<Overview>(`/api/overview${query}`, "overview");
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
      {overview && <Charts overview={overview} startedAt={polled.at - (nodes.data?.[0]?.uptime ?? Infinity)} range={range} onRange={setRange} />}
      {overview && (
        <div class="columns">
          <NodeFacts overview={overview} node={nodes.data?.[0]} />
          <Listeners overview={overview} />
        </div>
      )}
    </>
  );
}

function Totals({ overview }: { overview: Overview }) {
  const totals = overview.queue_totals;
  const objects = overview.object_totals;
  const stats = overview.message_stats;
  const tile = (title: string, value: string, unit: string, href: string): Tile => ({ title, value, unit, href });
  const byMost = (sort: string) => link(["queues"], { sort, sort_reverse: true });
  const tiles = [
    tile("Ready", count(totals?.messages_ready ?? 0), "messages wait", byMost("messages_ready")),
    tile("Unacked", count(totals?.messages_unacknowledged ?? 0), "messages held", byMost("messages_unacknowledged")),
    tile("Published", rate(rateOf(stats, "publish")), "messages/s", link(["exchanges"])),
    tile("Delivered", rate(rateOf(stats, "deliver_get")), "messages/s", link(["consumers"])),
    tile("Queues", count(objects.queues), `${count(objects.exchanges)} exchanges`, link(["queues"])),
    tile("Connections", count(objects.connections), `${count(objects.channels)} channels`, link(["connections"])),
    tile("Consumers", count(objects.consumers), "subscriptions", link(["consumers"])),
  ];
  return <Tiles label="Totals" tiles={tiles} />;
}

export function Ranges({ choices, chosen, onChoose }: { choices: string[]; chosen: string; onChoose: (choice: string) => void }) {
  return (
    <div class="segments" role="group" aria-label="Time range">
      {choices.map((choice) => (
        <button key={choice} type="button" aria-pressed={choice === chosen} onClick={() => onChoose(choice)}>
          {choice}
        </button>
      ))}
    </div>
  );
}

interface ChartsProps {
  overview: Overview;
  /** What was before is not drawn: there was nothing. */
  startedAt: number;
  range: string;
  onRange: (range: string) => void;
}

function Charts({ overview, startedAt, range, onRange }: ChartsProps) {
  const totals = overview.queue_totals;
  const stats = overview.message_stats;
  const depth = since(aligned([lengths(totals?.messages_ready_details), lengths(totals?.messages_unacknowledged_details)]), startedAt);
  const names = ["publish", "deliver_get", "ack", "redeliver", "drop_unroutable"];
  const flow = since(aligned(names.map((name) => rates(detailsOf(stats, name)))), startedAt);
  const ranges = <Ranges choices={RANGES.map(([title]) => title)} chosen={range} onChoose={onRange} />;
  return (
    <div class="columns charts">
      <ChartSection title="Messages in queues" aside={ranges} all={depth} format={count} lines={[READY, UNACKED]} />
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

function NodeFacts({ overview, node }: { overview: Overview; node: Node | undefined }) {
  const version = overview.leveret_version ? `Leveret ${overview.leveret_version}` : overview.product_name;
  return (
    <Section title="Node" aside={node && <a href={link(["nodes", node.name])}>All about it</a>}>
      <Facts
        of={[
          ["Name", <bdi>{visible(overview.node)}</bdi>],
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
