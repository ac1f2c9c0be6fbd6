import type { Alert, AlertRule, Alerts } from "../api/leveret";
import { usePoll } from "../state/poll";
import { vhostFilter } from "../state/preferences";
import { threshold } from "../state/problems";
import { link, queryText } from "../state/route";
import { useStore } from "../state/store";
import { Badge, Empty, FullMoment, Head, Loading, Moment, Section } from "../ui/basics";
import { duration, visible } from "../ui/format";
import { Table, type Column } from "../ui/table";
import { Unserved } from "../ui/unserved";
import type { PageProps } from "./routes";

function Where({ alert }: { alert: Alert }) {
  const { object, vhost } = alert;
  if (!object) return <span class="faint">the node</span>;
  if (object.type === "vhost") return <>virtual host '{visible(object.name)}'</>;
  const part = { queue: "queues", exchange: "exchanges" }[object.type];
  const text = `${object.type} '${visible(object.name)}'`;
  return part && vhost ? <a href={link([part, vhost, object.name || "amq.default"])}>{text}</a> : <>{text}</>;
}

const RULES: Column<AlertRule>[] = [
  { id: "name", title: "Rule", cell: (rule) => rule.name.replaceAll("_", " ") },
  { id: "about", title: "Raised when", cell: (rule) => rule.description },
  { id: "raise", title: "Above", isNumber: true, cell: (rule) => threshold(rule, rule.raise) },
  { id: "clear", title: "Over at", isNumber: true, cell: (rule) => threshold(rule, rule.clear) },
];

const HISTORY: Column<Alert>[] = [
  { id: "text", title: "What", cell: (alert) => <bdi>{visible(alert.text)}</bdi> },
  { id: "where", title: "Where", cell: (alert) => <Where alert={alert} /> },
  { id: "raised", title: "Began", cell: (alert) => <FullMoment at={alert.raised_at} /> },
  { id: "lasted", title: "Lasted", isNumber: true, cell: (alert) => duration((alert.cleared_at ?? alert.raised_at) - alert.raised_at) },
];

export function AlertsPage(_: PageProps) {
  const vhost = useStore(vhostFilter);
  const polled = usePoll<Alerts>(`/api/leveret/alerts${queryText({ vhost })}`, `alerts ${vhost}`);
  const alerts = polled.data;
  return (
    <>
      <Head title="Alerts" about="What the broker itself finds, every 5 seconds." />
      <Unserved error={polled.error} what="Alerts" />
      {!alerts && !polled.error && <Loading />}
      {alerts && (
        <>
          <Section title="Now" aside={<span class="faint">looked <Moment at={alerts.looked_at} /></span>}>
            {alerts.active.length === 0 && <Empty>Nothing.</Empty>}
            <ul class="problems">
              {alerts.active.map((alert) => (
                <li key={alert.id}>
                  <div>
                    <p class="problem-text">
                      <bdi>{visible(alert.text)}</bdi>
                    </p>
                    <p class="problem-next">
                      Noticed <Moment at={alert.raised_at} />. {visible(alert.next_step)}
                    </p>
                  </div>
                  <span class="row">
                    <Badge tone={alert.severity === "warning" ? "warn" : "bad"}>{alert.rule.replaceAll("_", " ")}</Badge>
                    <Where alert={alert} />
                  </span>
                </li>
              ))}
            </ul>
          </Section>
          <Section title="Before">
            {alerts.history.length === 0 ? <Empty>Nothing is over yet.</Empty> : <Table label="Alerts that are over" columns={HISTORY} rows={alerts.history} rowKey={(alert) => String(alert.id)} />}
          </Section>
          <Section title="Rules">
            <Table label="Rules" columns={RULES} rows={alerts.rules} rowKey={(rule) => rule.name} />
          </Section>
        </>
      )}
    </>
  );
}
