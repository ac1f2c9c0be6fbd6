import type { Alerts, Errors } from "../api/leveret";
import { rateOf, totalOf, type Channel, type Connection, type Exchange, type Node, type Overview, type Page, type Queue } from "../api/types";
import { usePoll } from "../state/poll";
import { problems, type Problem } from "../state/problems";
import { link, path, queryText } from "../state/route";
import { may } from "../state/session";
import { Moment } from "../ui/basics";
import { counted, visible } from "../ui/format";
import { useIdlePolicies } from "../state/idle-policies";

interface VerdictProps {
  overview: Overview;
  nodes: Node[] | undefined;
  at: number;
}

/** So many queues are looked at from each end: what is wrong shows among the fullest. */
const LOOKED_AT = 50;

const top = (sort: string, columns: string) => queryText({ page: 1, page_size: LOOKED_AT, sort, sort_reverse: true, columns });

const QUEUE_STATS = ["publish", "deliver", "deliver_get", "get", "ack", "redeliver"].map((name) => `message_stats.${name}_details.rate,message_stats.${name}`).join();
const QUEUE_COLUMNS = `${QUEUE_STATS},name,vhost,state,messages_ready,messages_unacknowledged,oldest_ready_age_ms,oldest_unacked_age_ms,consumers,dead_letter_queue,arguments,effective_policy_definition`;

/** In the order of the words: "blocked" stands before "flow" and "running". */
const BLOCKED_FIRST = queryText({ page: 1, page_size: LOOKED_AT, sort: "state", columns: "name,state,user_provided_name" });

/** While none of these counts, no queue changes but by what expires. */
const MOVING = ["publish", "deliver_get", "ack", "redeliver"];

/** Whether anything is wrong, before anything else. */
export function Verdict({ overview, nodes, at }: VerdictProps) {
  const isMonitor = may("monitoring");
  const totals = overview.queue_totals;
  const stats = overview.message_stats;
  const grave = { atLeastMs: 5000 };
  // While nothing moves, the fullest queues are the same ones.
  const numbers = [totals?.messages_ready, totals?.messages_unacknowledged, overview.object_totals.queues, overview.object_totals.consumers, ...MOVING.map((name) => totalOf(stats, name))];
  const moving = { ...grave, moves: numbers.join() };
  const full = usePoll<Page<Queue>>(totals?.messages_ready ? `/api/queues${top("messages_ready", QUEUE_COLUMNS)}` : null, "full", moving);
  const held = usePoll<Page<Queue>>(totals?.messages_unacknowledged ? `/api/queues${top("messages_unacknowledged", QUEUE_COLUMNS)}` : null, "held", moving);
  const isAgain = rateOf(stats, "redeliver") > 0;
  const again = usePoll<Page<Queue>>(isAgain ? `/api/queues${top("message_stats.redeliver_details.rate", QUEUE_COLUMNS)}` : null, "again", grave);
  const lost = rateOf(stats, "drop_unroutable") + rateOf(stats, "return_unroutable") > 0;
  const exchanges = usePoll<Page<Exchange>>(lost ? `/api/exchanges${top("message_stats.publish_in", "name,vhost,message_stats")}` : null, "exchanges", grave);
  const channels = usePoll<Page<Channel>>(
    lost ? `/api/channels${top("message_stats.drop_unroutable", "name,connection_details,message_stats")}` : null,
    "channels",
    grave,
  );
  const hasAlarm = nodes?.some((node) => node.mem_alarm || node.disk_free_alarm);
  // A channel names its connection by addresses only; people know the name of the program.
  const loser = lost ? channels.data?.items[0]?.connection_details?.name : undefined;
  const program = usePoll<Connection>(loser ? `/api/connections${path(loser)}${queryText({ columns: "name,user_provided_name" })}` : null, `program ${loser}`, { once: true });
  const connections = usePoll<Page<Connection>>(hasAlarm ? `/api/connections${BLOCKED_FIRST}` : null, "blocked", grave);
  const alerts = usePoll<Alerts>(isMonitor ? "/api/leveret/alerts?history=0" : null, "alerts", grave);
  const errors = usePoll<Errors>("/api/leveret/errors?limit=3", "errors", grave);
  const idlePolicies = useIdlePolicies(`${overview.object_totals.queues} ${overview.object_totals.exchanges} ${totalOf(overview.churn_rates, "queue_created")}`);
  const found = problems({
    overview,
    nodes,
    queues: [...((totals?.messages_ready && full.data?.items) || []), ...((totals?.messages_unacknowledged && held.data?.items) || []), ...((isAgain && again.data?.items) || [])],
    exchanges: exchanges.data?.items,
    channels: channels.data?.items,
    connections: [...((hasAlarm && connections.data?.items) || []), ...(loser && program.data ? [program.data] : [])],
    alerts: alerts.data?.active,
    idlePolicies,
  });
  const tone = found.some((one) => one.isGrave) ? "bad" : found.length > 0 ? "warn" : "good";
  const sentence = found.length === 0 ? "Nothing is wrong." : `${counted(found.length, "thing needs", "things need")} a look.`;
  return (
    <section class={`verdict ${tone}`} aria-label="Is anything wrong?">
      <div class="verdict-line">
        <p class="verdict-sentence" role="status">
          {sentence}
        </p>
        <p class="faint">
          {counted(overview.object_totals.queues, "queue")}, {counted(overview.object_totals.connections, "connection")}; looked <Moment at={at} />
        </p>
      </div>
      {found.length > 0 && (
        <ul class="problems">
          {found.slice(0, 12).map((problem) => (
            <ProblemRow key={problem.key} problem={problem} />
          ))}
        </ul>
      )}
      {found.length > 12 && <p class="faint">And {counted(found.length - 12, "more thing")} of the same kinds.</p>}
      <RecentErrors errors={errors.data} />
    </section>
  );
}

function ProblemRow({ problem }: { problem: Problem }) {
  return (
    <li class={problem.isGrave ? "grave" : ""}>
      <div>
        <p class="problem-text">
          <bdi>{visible(problem.text)}</bdi>
        </p>
        <p class="problem-next">
          {problem.since && (
            <>
              Noticed <Moment at={problem.since} />.{" "}
            </>
          )}
          {problem.next}
        </p>
      </div>
      <a class="button" href={problem.href}>
        {problem.act}
      </a>
    </li>
  );
}

/** Errors of the last minutes, in one line: they often are the reason of what is wrong. */
function RecentErrors({ errors }: { errors: Errors | undefined }) {
  const recent = (errors?.items ?? []).filter((one) => Date.now() - one.at < 10 * 60_000);
  const latest = recent[0];
  if (!latest) return null;
  return (
    <p class="recent-error">
      <a href={link(["errors"])}>Last error</a> <Moment at={latest.at} />:{" "}
      <span class="said">
        <bdi>{visible(latest.reply_text)}</bdi>
      </span>
    </p>
  );
}
