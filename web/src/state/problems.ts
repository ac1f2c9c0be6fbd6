import { rateOf, totalOf, type Channel, type Connection, type Exchange, type Node, type Overview, type Queue } from "../api/types";
import type { Alert, AlertRule } from "../api/leveret";
import { counted, count, duration, bytes, rate } from "../ui/format";
import { deadLetterExchange } from "./dead-letters";
import { link } from "./route";

/** Something that is wrong: what, where, and what to do next. */
export interface Problem {
  /** What it is about: the broker and the pages may both see the same thing, and it is told once. */
  key: string;
  isGrave: boolean;
  text: string;
  next: string;
  href: string;
  act: string;
  since?: number;
}

export interface Seen {
  overview?: Overview;
  nodes?: Node[];
  queues?: Queue[];
  exchanges?: Exchange[];
  channels?: Channel[];
  connections?: Connection[];
  alerts?: Alert[];
  idlePolicies?: { vhost: string; name: string; pattern: string; applyTo: string }[];
}

/** Everything that is wrong, the gravest first. */
export function problems(seen: Seen): Problem[] {
  const lost = unroutable(seen);
  // The pages know the exchange and the program as well, where the broker knows the virtual host.
  const alerts = (seen.alerts ?? []).filter((alert) => alert.rule !== "unroutable" || lost.length === 0).map(ofAlert);
  const own = [
    ...(seen.nodes ?? []).flatMap(ofNode),
    ...ofBlocked(seen.connections ?? []),
    ...lost,
    ...distinct(seen.queues ?? []).flatMap(ofQueue),
    ...(seen.idlePolicies ?? []).map(ofPolicy),
  ];
  const found = [...own.map((problem) => confirmed(problem, alerts)), ...alerts.filter((alert) => !isOver(alert, seen))];
  const told = new Set<string>();
  const once = found.filter((problem) => {
    if (told.has(problem.key)) return false;
    told.add(problem.key);
    return true;
  });
  return [...once.filter((one) => one.isGrave), ...once.filter((one) => !one.isGrave)];
}

/**
 * What the pages see, with what the broker says of the same: since when, and whether it is grave. The pages' sentence has more numbers and
 * leads closer to the reason, so it does not change into another one a minute later.
 */
function confirmed(problem: Problem, alerts: Problem[]): Problem {
  const alert = alerts.find((alert) => alert.key === problem.key);
  return alert ? { ...problem, isGrave: problem.isGrave || alert.isGrave, ...(alert.since ? { since: alert.since } : {}) } : problem;
}

/** Whether the nodes say that an alarm is over, which the broker's own rounds find out some seconds later. */
function isOver(alert: Problem, { nodes }: Seen): boolean {
  if (!nodes) return false;
  const memory = nodes.some((node) => node.mem_alarm);
  const disk = nodes.some((node) => node.disk_free_alarm);
  const isOn: Record<string, boolean> = { [key("memory_alarm")]: memory, [key("disk_alarm")]: disk, [key("blocked_connections")]: memory || disk };
  return isOn[alert.key] === false;
}

const key = (rule: string, vhost: string | null = "", name = "") => `${rule} ${vhost ?? ""} ${name}`;

/** A rule of the broker that asks the same question as one of the pages. */
const SAME: Record<string, string> = { unacked_age: "unacked", no_consumers: "no_consumers" };

function ofAlert(alert: Alert): Problem {
  const vhost = alert.vhost ?? "";
  const name = alert.object?.name ?? "";
  const kind = alert.object?.type;
  const to: Record<string, [string, string]> = {
    queue: [link(["queues", vhost, name]), "Look at the queue"],
    exchange: [link(["exchanges", vhost, name || "amq.default"]), "Look at the exchange"],
    vhost: [link(["where"], { vhost: name }), "Where would it go?"],
  };
  const [href, act] = (kind && to[kind]) || [link(["alerts"]), "Look at the alerts"];
  return {
    key: key(SAME[alert.rule] ?? alert.rule, alert.vhost, name),
    isGrave: ["critical", "error"].includes(alert.severity),
    text: alert.text,
    // The API names its own path; here it is a page.
    next: alert.next_step.replace("under /api/leveret/errors", "among the errors"),
    href,
    act,
    since: alert.raised_at,
  };
}

function ofNode(node: Node): Problem[] {
  const href = link(["nodes", node.name]);
  const found: Problem[] = [];
  if (node.mem_alarm) {
    found.push({
      key: key("memory_alarm"),
      isGrave: true,
      text: `The memory alarm is on: ${bytes(node.mem_used)} are used, and ${bytes(node.mem_limit)} is the limit. Publishers are blocked.`,
      next: "Let consumers catch up, purge queues that nobody needs, or raise the limit (memory_high_watermark).",
      href,
      act: "Look at the node",
    });
  }
  if (node.disk_free_alarm) {
    found.push({
      key: key("disk_alarm"),
      isGrave: true,
      text: `The disk alarm is on: ${bytes(node.disk_free)} are free, and ${bytes(node.disk_free_limit)} must be. Publishers are blocked.`,
      next: "Make room on the disk of the data directory, or lower the limit (disk_free_limit).",
      href,
      act: "Look at the node",
    });
  }
  return found;
}

/** So many programs are named; of the others there is a list. */
const NAMED = 3;

function ofBlocked(connections: Connection[]): Problem[] {
  const blocked = connections.filter((one) => one.state === "blocked");
  const [first] = blocked;
  if (!first) return [];
  const isOne = blocked.length === 1;
  const names = blocked.slice(0, NAMED).map((one) => `'${one.user_provided_name || one.name}'`);
  const others = blocked.length > NAMED ? `, and ${count(blocked.length - NAMED)} more` : "";
  return [
    {
      key: key("blocked_connections"),
      isGrave: true,
      text: `${counted(blocked.length, "connection wants", "connections want")} to publish, and ${isOne ? "is" : "are"} blocked by an alarm: ${names.join(", ")}${others}.`,
      next: `${isOne ? "It goes" : "They go"} on without help when the alarm is over.`,
      href: isOne ? link(["connections", first.name]) : link(["connections"], { sort: "state" }),
      act: isOne ? "Look at the connection" : "Look at the connections",
    },
  ];
}

function unroutable(seen: Seen): Problem[] {
  const stats = seen.overview?.message_stats;
  const lost = rateOf(stats, "drop_unroutable") + rateOf(stats, "return_unroutable");
  if (lost <= 0) return [];
  const guilty = (seen.exchanges ?? []).filter(
    (one) => rateOf(one.message_stats, "publish_in") > 0 && rateOf(one.message_stats, "publish_out") === 0,
  );
  const channel = (seen.channels ?? []).find(
    (one) => rateOf(one.message_stats, "drop_unroutable") + rateOf(one.message_stats, "return_unroutable") > 0,
  );
  const name = channel?.connection_details?.name;
  const by = name ? ` They come from connection '${seen.connections?.find((one) => one.name === name)?.user_provided_name || name}'.` : "";
  const unnamed: Problem = {
    key: key("unroutable"),
    isGrave: false,
    text: `${rate(lost)} messages a second reach no queue: no binding matches.${by}`,
    next: "Ask where such a message would go, with the exchange and the routing key that the program uses.",
    href: link(["where"]),
    act: "Where would it go?",
  };
  if (guilty.length === 0) return [unnamed];
  return guilty.map((exchange) => ({
    ...unnamed,
    key: key("unroutable", exchange.vhost, exchange.name),
    text: `Exchange '${exchange.name || "(AMQP default)"}' in virtual host '${exchange.vhost}' is given ${rate(rateOf(exchange.message_stats, "publish_in"))} messages a second, and none reaches a queue.${by}`,
    next: "Compare its bindings with the routing key that the program uses.",
    href: link(["exchanges", exchange.vhost, exchange.name || "amq.default"]),
    act: "Look at its bindings",
  }));
}

/** Fewer deliveries of what was delivered before are no loop, but bad luck. */
const LOOP_DELIVERIES = 10;

/** Whether messages only wait here until they expire and go on: nobody is to consume from such a queue. */
function isWaitQueue(queue: Queue): boolean {
  const policy = queue.effective_policy_definition ?? {};
  return deadLetterExchange(queue) !== undefined && (queue.arguments?.["x-message-ttl"] ?? policy["message-ttl"]) !== undefined;
}

/** Ages below are too young to be worth a word. */
const WORTH_A_WORD_MS = 5000;

/** Since when the oldest of some messages is there, as a part of a sentence. */
function oldest(ms: number | null | undefined, count: number): string {
  if (ms == null || ms < WORTH_A_WORD_MS) return "";
  return `, ${count === 1 ? "for" : "the oldest for"} ${duration(ms)}`;
}

function distinct(queues: Queue[]): Queue[] {
  return [...new Map(queues.map((queue) => [`${queue.vhost} ${queue.name}`, queue])).values()];
}

function ofQueue(queue: Queue): Problem[] {
  const stats = queue.message_stats;
  const ready = queue.messages_ready ?? 0;
  const unacked = queue.messages_unacknowledged ?? 0;
  const consumers = queue.consumers ?? 0;
  const where = `Queue '${queue.name}' in virtual host '${queue.vhost}'`;
  const found: Problem[] = [];
  const add = (rule: string, tab: string, act: string, text: string, next: string, isGrave = false) =>
    found.push({
      key: key(rule, queue.vhost, queue.name),
      isGrave,
      text: `${where} ${text}`,
      next,
      href: link(["queues", queue.vhost, queue.name], { tab }),
      act,
    });

  if (queue.state === "paused") {
    add("paused", "", "Look at the queue", `is paused: ${counted(ready, "message waits", "messages wait")}${oldest(queue.oldest_ready_age_ms, ready)}.`, "Resume it when it is to deliver again.");
  } else if (ready > 0 && consumers === 0 && !isWaitQueue(queue) && !queue.dead_letter_queue) {
    const grows = rateOf(stats, "publish");
    const text = grows > 0 ? `, and ${rate(grows)} more come every second` : "";
    add("no_consumers", "bindings", "Look at the queue", `has no consumer: ${counted(ready, "message waits", "messages wait")}${oldest(queue.oldest_ready_age_ms, ready)}${text}.`, "Start the program that consumes from it; or, if nobody is to, look which binding brings the messages.");
  }
  const isStill = rateOf(stats, "ack") === 0 && rateOf(stats, "deliver") === 0 && rateOf(stats, "get") === 0;
  if (consumers > 0 && unacked > 0 && isStill && (ready > 0 || totalOf(stats, "ack") === 0)) {
    const behind = ready > 0 ? `, and ${counted(ready, "more waits", "more wait")} behind them` : "";
    add("unacked", "consumers", "Look at its consumers", `has ${counted(unacked, "message")} that consumers hold and do not acknowledge${oldest(queue.oldest_unacked_age_ms, unacked)}${behind}.`, "See which consumer holds them, and whether its program acknowledges what it has done.");
  }
  const redelivered = rateOf(stats, "redeliver");
  if (redelivered > rateOf(stats, "deliver_get") / 2 && totalOf(stats, "redeliver") >= LOOP_DELIVERIES) {
    const way = deadLetterExchange(queue) ? " They go through its dead letters and come back." : "";
    add("redelivery_loop", "messages", "Look at the messages", `delivers the same messages again and again: ${rate(redelivered)} a second were delivered before, ${count(totalOf(stats, "redeliver"))} in all.${way}`, "Look which message comes back and why its consumer refuses it; a delivery limit ends such a loop.", true);
  }
  return found;
}

function ofPolicy(policy: { vhost: string; name: string; pattern: string; applyTo: string }): Problem {
  return {
    key: key("idle_policy", policy.vhost, policy.name),
    isGrave: false,
    text: `Policy '${policy.name}' in virtual host '${policy.vhost}' applies to nothing: the pattern '${policy.pattern}' matches no ${policy.applyTo}.`,
    next: "Compare the pattern with the names that are there.",
    href: link(["policies", policy.vhost, policy.name]),
    act: "Look at the policy",
  };
}

/** What a threshold of a rule means. */
export function threshold(rule: AlertRule, value: number): string {
  if (rule.unit === "seconds") return duration(value * 1000);
  if (rule.unit === "milliseconds") return duration(value);
  if (rule.unit === "bytes") return bytes(value);
  return rule.unit.endsWith("s") ? counted(value, rule.unit.slice(0, -1)) : `${count(value)} ${rule.unit}`;
}
