import { expect, test } from "vitest";
import type { Alert } from "../api/leveret";
import type { Channel, Connection, Node, Overview, Queue } from "../api/types";
import { problems } from "./problems";

const queue = (given: Partial<Queue>): Queue => ({
  name: "orders",
  vhost: "/",
  type: "classic",
  durable: true,
  auto_delete: false,
  exclusive: false,
  state: "running",
  arguments: {},
  ...given,
});

const rates = (given: Record<string, number>) => Object.fromEntries(Object.entries(given).map(([name, rate]) => [`${name}_details`, { rate }]));

const keys = (seen: Parameters<typeof problems>[0]) => problems(seen).map((problem) => problem.key);

test("a broker at work has no problems", () => {
  const busy = queue({ messages_ready: 5, messages_unacknowledged: 10, consumers: 1, message_stats: { ...rates({ publish: 50, deliver: 50, deliver_get: 50, ack: 50 }), ack: 900 } });
  expect(problems({ queues: [busy] })).toEqual([]);
});

test("messages that nobody consumes are told with their number", () => {
  const found = problems({ queues: [queue({ messages_ready: 120, consumers: 0, message_stats: rates({ publish: 4 }) })] });
  expect(found.map((one) => one.text)).toEqual(["Queue 'orders' in virtual host '/' has no consumer: 120 messages wait, and 4.0 more come every second."]);
  expect(found[0]?.href).toBe("#/queues/%2F/orders?tab=bindings");
});

test("how long the oldest message waits or is held is told, once it is long", () => {
  const waits = queue({ messages_ready: 2, consumers: 0, oldest_ready_age_ms: 125_000 });
  expect(problems({ queues: [waits] })[0]?.text).toBe("Queue 'orders' in virtual host '/' has no consumer: 2 messages wait, the oldest for 2 min 5 s.");
  const held = queue({ messages_unacknowledged: 1, consumers: 1, oldest_unacked_age_ms: 60_000 });
  expect(problems({ queues: [held] })[0]?.text).toBe("Queue 'orders' in virtual host '/' has 1 message that consumers hold and do not acknowledge, for 1 min.");
  expect(problems({ queues: [queue({ messages_ready: 2, consumers: 0, oldest_ready_age_ms: 0 })] })[0]?.text).toContain("2 messages wait.");
});

test("where dead letters end, nobody is missed: the broker has a rule for it", () => {
  expect(problems({ queues: [queue({ messages_ready: 3, consumers: 0, dead_letter_queue: true })] })).toEqual([]);
});

test("where messages wait to expire and go on, nobody is missed", () => {
  const wait = queue({ messages_ready: 3, consumers: 0, arguments: { "x-message-ttl": 5000, "x-dead-letter-exchange": "" } });
  expect(problems({ queues: [wait] })).toEqual([]);
});

test("a consumer that does not acknowledge is told, and one that works on its first message is not", () => {
  const stuck = queue({ messages_ready: 30, messages_unacknowledged: 10, consumers: 1, message_stats: { ack: 0 } });
  expect(keys({ queues: [stuck] })).toEqual(["unacked / orders"]);
  const slow = queue({ messages_unacknowledged: 1, consumers: 1, message_stats: { ack: 7 } });
  expect(problems({ queues: [slow] })).toEqual([]);
});

test("a message that comes back again and again is grave, and so comes first", () => {
  const queues = [
    queue({ name: "a", messages_ready: 1, consumers: 0 }),
    queue({ name: "b", consumers: 1, message_stats: { ...rates({ redeliver: 90, deliver_get: 100, deliver: 100 }), redeliver: 900 } }),
  ];
  expect(keys({ queues })).toEqual(["redelivery_loop / b", "no_consumers / a"]);
});

test("messages that reach no queue are told with the exchange and the connection", () => {
  const found = problems({
    overview: { message_stats: rates({ drop_unroutable: 5 }) } as never,
    exchanges: [
      { name: "shop", vhost: "/", type: "topic", durable: true, auto_delete: false, internal: false, arguments: {}, message_stats: rates({ publish_in: 5, publish_out: 0 }) },
      { name: "fine", vhost: "/", type: "topic", durable: true, auto_delete: false, internal: false, arguments: {}, message_stats: rates({ publish_in: 5, publish_out: 5 }) },
    ],
    channels: [{ name: "c (1)", number: 1, vhost: "/", user: "guest", connection_details: { name: "10.0.0.1:5 -> 10.0.0.2:5672" }, message_stats: rates({ drop_unroutable: 5 }) }],
  });
  expect(found).toHaveLength(1);
  expect(found[0]?.text).toContain("Exchange 'shop' in virtual host '/' is given 5.0 messages a second, and none reaches a queue.");
  expect(found[0]?.text).toContain("connection '10.0.0.1:5 -> 10.0.0.2:5672'");
});

test("what broker and pages both see is told once: with the pages' numbers and way, and with the broker's gravity and time", () => {
  const alert = {
    id: 1, rule: "no_consumers", severity: "error", vhost: "/", object: { type: "queue", name: "orders" },
    raised_at: 1, cleared_at: null, value: 1, threshold: 0, text: "The broker's words.", next_step: "Do this.",
  };
  const [found, ...more] = problems({ alerts: [alert], queues: [queue({ messages_ready: 1, consumers: 0 })] });
  expect(more).toEqual([]);
  expect(found).toMatchObject({ text: "Queue 'orders' in virtual host '/' has no consumer: 1 message waits.", href: "#/queues/%2F/orders?tab=bindings", isGrave: true, since: 1 });
  // Of a queue that the pages did not look at, the broker's words are all there is.
  expect(problems({ alerts: [alert], queues: [] }).map((one) => one.text)).toEqual(["The broker's words."]);
});

test("messages that reach no queue are told once, by who knows more of it", () => {
  const alert = {
    id: 1, rule: "unroutable", severity: "warning", vhost: "/", object: { type: "vhost", name: "/" },
    raised_at: 1, cleared_at: null, value: 90, threshold: 10, text: "90 % reach no queue.", next_step: "Look.",
  };
  const overview = { message_stats: rates({ drop_unroutable: 5 }) } as never;
  expect(problems({ alerts: [alert] }).map((one) => one.text)).toEqual(["90 % reach no queue."]);
  expect(problems({ alerts: [alert], overview })).toHaveLength(1);
  expect(problems({ alerts: [alert], overview })[0]?.text).toContain("5.0 messages a second reach no queue");
});

test("a policy that applies to nothing is told", () => {
  expect(keys({ idlePolicies: [{ vhost: "/", name: "ttl", pattern: "^ordres", applyTo: "queue" }] })).toEqual(["idle_policy / ttl"]);
});

const connection = (given: Partial<Connection>): Connection => ({ name: "127.0.0.1:1 -> 127.0.0.1:2", vhost: "/", user: "guest", state: "running", ...given }) as Connection;
const node = (given: Partial<Node>): Node => ({ name: "rabbit@localhost", mem_used: 3 * 1024 * 1024, mem_limit: 1024 * 1024, ...given }) as Node;
const alert = (rule: string): Alert => ({ rule, vhost: null, object: null, severity: "critical", text: "What the broker says.", next_step: "", raised_at: 7 }) as unknown as Alert;

test("an alarm is told with its numbers and what it blocks by name, though the broker tells both without", () => {
  const found = problems({
    nodes: [node({ mem_alarm: true })],
    connections: [connection({ state: "running" }), connection({ state: "blocked", user_provided_name: "web-shop" })],
    alerts: [alert("memory_alarm"), alert("blocked_connections")],
  });
  expect(found.map((one) => one.text)).toEqual([
    "The memory alarm is on: 3.0 MiB are used, and 1.0 MiB is the limit. Publishers are blocked.",
    "1 connection wants to publish, and is blocked by an alarm: 'web-shop'.",
  ]);
  expect(found.map((one) => one.since)).toEqual([7, 7]);
});

test("of many connections that are blocked, all are counted and some named", () => {
  const blocked = ["a", "b", "c", "d", "e"].map((name) => connection({ name, state: "blocked" }));
  const [found] = problems({ connections: blocked });
  expect(found?.text).toBe("5 connections want to publish, and are blocked by an alarm: 'a', 'b', 'c', and 2 more.");
  expect(found?.href).toBe("#/connections?sort=state");
});

test("an alarm that the nodes do not have any more is over, though the broker has not said so yet", () => {
  const alerts = ["memory_alarm", "disk_alarm", "blocked_connections"].map(alert);
  expect(keys({ nodes: [node({})], alerts })).toEqual([]);
  expect(keys({ alerts })).toHaveLength(3);
  expect(keys({ nodes: [node({ disk_free_alarm: true })], alerts }).map((key) => key.trim())).toEqual(["disk_alarm", "blocked_connections"]);
});

test("who publishes what reaches no queue is told by the name of the program", () => {
  const overview = { message_stats: rates({ drop_unroutable: 20 }) } as unknown as Overview;
  const channels = [{ name: "c", connection_details: { name: "127.0.0.1:1 -> 127.0.0.1:2" }, message_stats: rates({ drop_unroutable: 20 }) }] as unknown as Channel[];
  const connections = [connection({ user_provided_name: "signup-form" })];
  expect(problems({ overview, channels, connections })[0]?.text).toContain("They come from connection 'signup-form'.");
  expect(problems({ overview, channels })[0]?.text).toContain("They come from connection '127.0.0.1:1 -> 127.0.0.1:2'.");
});
