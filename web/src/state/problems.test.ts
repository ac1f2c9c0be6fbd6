import { expect, test } from "vitest";
import type { Queue } from "../api/types";
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

test("what the broker tells is not told again by the pages", () => {
  const alert = {
    id: 1, rule: "no_consumers", severity: "warning", vhost: "/", object: { type: "queue", name: "orders" },
    raised_at: 1, cleared_at: null, value: 1, threshold: 0, text: "The broker's words.", next_step: "Do this.",
  };
  const found = problems({ alerts: [alert], queues: [queue({ messages_ready: 1, consumers: 0 })] });
  expect(found.map((one) => one.text)).toEqual(["The broker's words."]);
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
