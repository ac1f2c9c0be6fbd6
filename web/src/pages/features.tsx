import { usePoll } from "../state/poll";
import { Badge, Empty, Failure, Head, Name, Section } from "../ui/basics";
import { Table } from "../ui/table";
import type { PageProps } from "./routes";

interface Flag {
  name: string;
  desc?: string;
  state: string;
  stability?: string;
}

interface Deprecated {
  name: string;
  desc?: string;
  deprecation_phase?: string;
  state?: string;
  doc_url?: string;
}

const ONCE = { once: true };

/** What RabbitMQ does not say of them. */
const MEANINGS: Record<string, string> = {
  global_qos: "A prefetch for a whole channel: basic.qos with its flag global.",
  transient_nonexcl_queues: "Queues that are neither durable nor exclusive.",
  queue_master_locator: "The argument or policy queue-master-locator, which chose the node of a classic queue.",
};

const meaning = (one: Deprecated) => one.desc || MEANINGS[one.name] || "–";

/** Feature flags, and what programs use that later versions of RabbitMQ refuse. */
export function FeaturesPage(_: PageProps) {
  const flags = usePoll<Flag[]>("/api/feature-flags", "flags", ONCE);
  const all = usePoll<Deprecated[]>("/api/deprecated-features", "deprecated", ONCE);
  const used = usePoll<Deprecated[]>("/api/deprecated-features/used", "used");
  const usedNames = new Set((used.data ?? []).map((one) => one.name));
  return (
    <>
      <Head title="Features" />
      <Section title="Deprecated features in use" aside={<span class="faint">what a later RabbitMQ would refuse</span>}>
        <Failure error={used.error?.isUnreachable ? undefined : used.error} what="Cannot show them" />
        {used.data?.length === 0 && <Empty>Nothing that is deprecated is used.</Empty>}
        {used.data && used.data.length > 0 && (
          <Table
            label="Deprecated features in use"
            rows={used.data}
            rowKey={(one) => one.name}
            columns={[
              { id: "name", title: "Name", cell: (one) => <Name of={one.name} /> },
              { id: "phase", title: "Phase", cell: (one) => <Badge tone="warn">{(one.deprecation_phase ?? "").replaceAll("_", " ")}</Badge> },
              { id: "about", title: "What it is", cell: meaning },
            ]}
          />
        )}
      </Section>
      <Section title="Deprecated features">
        {all.data && (
          <Table
            label="Deprecated features"
            rows={all.data}
            rowKey={(one) => one.name}
            columns={[
              { id: "name", title: "Name", cell: (one) => <Name of={one.name} /> },
              { id: "phase", title: "Phase", cell: (one) => (one.deprecation_phase ?? "").replaceAll("_", " ") },
              { id: "used", title: "In use", cell: (one) => (usedNames.has(one.name) ? <Badge tone="warn">yes</Badge> : <span class="faint">no</span>) },
              { id: "about", title: "What it is", cell: meaning },
            ]}
          />
        )}
      </Section>
      <Section title="Feature flags">
        <Failure error={flags.error?.isUnreachable ? undefined : flags.error} what="Cannot show the flags" />
        {flags.data && (
          <Table
            label="Feature flags"
            rows={flags.data}
            rowKey={(flag) => flag.name}
            columns={[
              { id: "name", title: "Name", cell: (flag) => <Name of={flag.name} /> },
              { id: "state", title: "State", cell: (flag) => <Badge tone={flag.state === "enabled" ? "good" : "quiet"}>{flag.state}</Badge> },
              { id: "about", title: "What it is", cell: (flag) => flag.desc ?? "" },
            ]}
          />
        )}
      </Section>
    </>
  );
}
