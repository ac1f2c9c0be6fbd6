import type { Details, Node } from "../api/types";
import { usePoll } from "../state/poll";
import { ofBroker, useRange } from "../state/range";
import { link, path, queryText } from "../state/route";
import { Facts, Head, Name, Note, Section, Waiting } from "../ui/basics";
import { ChartSection } from "../ui/chart-section";
import { bytes, count, duration, visible } from "../ui/format";
import { Ranges } from "../ui/ranges";
import { aligned, lengths, since } from "../ui/samples";
import { Meter } from "./overview";
import type { PageProps } from "./routes";

interface Memory {
  memory: Record<string, unknown> | string;
}

export function NodePage({ args }: PageProps) {
  const name = args[0] ?? "";
  const base = `/api/nodes${path(name)}`;
  const range = useRange();
  const polled = usePoll<Node>(`${base}${queryText(ofBroker(range, "node_stats"))}`, base);
  const memory = usePoll<Memory>(`${base}/memory`);
  const node = polled.data;
  const parts = typeof memory.data?.memory === "object" ? Object.entries(memory.data.memory) : [];
  return (
    <>
      <Head title={<Name of={name} />} crumbs={[{ text: "Overview", href: link([]) }, { text: "Node" }]} />
      <Waiting polled={polled} what="the node" />
      {node?.mem_alarm && <Note tone="bad">The memory alarm is on: publishers are blocked until less than four fifths of the limit are used.</Note>}
      {node?.disk_free_alarm && <Note tone="bad">The disk alarm is on: publishers are blocked until there is room.</Note>}
      {node && (
        <div class="columns">
          <Section title="Resources">
            <Facts
              of={[
                ["Up for", duration(node.uptime)],
                ["Memory", <Meter used={node.mem_used} limit={node.mem_limit} format={bytes} />],
                ["Disk free", `${bytes(node.disk_free)}, at least ${bytes(node.disk_free_limit)} must be`],
                ["Descriptors", <Meter used={node.fd_used} limit={node.fd_total} format={count} />],
                ["Sockets", <Meter used={node.sockets_used} limit={node.sockets_total} format={count} />],
                ["Processors", count(node.processors)],
                ["Process", node.os_pid ?? "–"],
              ]}
            />
          </Section>
          <Section title="Places">
            <Facts
              of={[
                ["Data", <span class="mono">{visible(node.data_dir ?? node.db_dir ?? "in memory")}</span>],
                ["Configuration", <span class="mono">{visible((node.config_files ?? []).join(", ") || "none")}</span>],
                ["Log", <span class="mono">{visible((node.log_files ?? []).join(", ") || "none")}</span>],
              ]}
            />
          </Section>
        </div>
      )}
      {node && <NodeCharts node={node} startedAt={polled.at - (node.uptime ?? Infinity)} />}
      {parts.length > 0 && (
        <Section title="Memory in detail">
          <Facts of={parts.filter(([, value]) => typeof value === "number" && value > 0).map(([part, value]) => [part.replaceAll("_", " "), bytes(value as number)])} />
        </Section>
      )}
    </>
  );
}

/** What the node used, and how much of the disk was free. */
function NodeCharts({ node, startedAt }: { node: Node; startedAt: number }) {
  const of = (...details: (Details | undefined)[]) => since(aligned(details.map(lengths)), startedAt);
  return (
    <div class="columns charts">
      <ChartSection title="Memory" aside={<Ranges />} all={of(node.mem_used_details)} format={bytes} lines={[{ title: "Used", colour: "--chart-ready", isFilled: true }]} />
      <ChartSection title="Disk" all={of(node.disk_free_details)} format={bytes} lines={[{ title: "Free", colour: "--chart-in", isFilled: true }]} />
      <ChartSection
        title="Descriptors and connections"
        all={of(node.fd_used_details, node.sockets_used_details)}
        format={count}
        lines={[{ title: "Descriptors", colour: "--chart-out" }, { title: "Connections", colour: "--chart-ack" }]}
      />
    </div>
  );
}
