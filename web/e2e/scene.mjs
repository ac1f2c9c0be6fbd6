// A shop that works, for pictures and tests: exchanges, queues, publishers and consumers that go on until they are told to stop.
import amqp from "amqplib";
import { pause } from "./broker.mjs";

const KINDS = ["order.new", "order.paid", "order.sent", "payment.card", "payment.bank", "mail.welcome"];

/** Publishes so many messages a second until it is stopped. */
export async function publisher(url, name, exchange, keys, perSecond) {
  const connection = await amqp.connect(url, { clientProperties: { connection_name: name } });
  connection.on("error", () => {});
  const channel = await connection.createChannel();
  channel.on("error", () => {});
  let isOver = false;
  let number = 0;
  const work = (async () => {
    while (!isOver) {
      const key = keys[number % keys.length];
      number += 1;
      const body = { order: 1000 + number, kind: key, customer: { name: "Ada", country: "NZ" }, lines: [{ sku: "tea-green", amount: 2 }] };
      channel.publish(exchange, key, Buffer.from(JSON.stringify(body)), {
        persistent: true,
        contentType: "application/json",
        messageId: `m-${number}`,
        headers: { tenant: "south", attempt: 1 },
      });
      await pause(1000 / perSecond);
    }
  })().catch(() => {});
  return {
    connection,
    async stop() {
      isOver = true;
      await work;
      await connection.close().catch(() => {});
    },
  };
}

/** Consumes, and does with each message what `handle(channel, message)` does. */
export async function consumer(url, name, queue, prefetch, handle) {
  const connection = await amqp.connect(url, { clientProperties: { connection_name: name } });
  connection.on("error", () => {});
  const channel = await connection.createChannel();
  channel.on("error", () => {});
  await channel.prefetch(prefetch);
  await channel.consume(queue, (message) => message && handle(channel, message), { consumerTag: `${name}-1` });
  return { connection, channel, stop: () => connection.close().catch(() => {}) };
}

export async function shop(broker) {
  const connection = await amqp.connect(broker.amqp, { clientProperties: { connection_name: "deployment" } });
  const channel = await connection.createChannel();
  await channel.assertExchange("shop", "topic");
  await channel.assertExchange("dead", "fanout");
  await channel.assertExchange("audit", "fanout");
  await channel.bindExchange("audit", "shop", "#");
  const dying = { deadLetterExchange: "dead" };
  await channel.assertQueue("orders", dying);
  await channel.assertQueue("payments", { ...dying, arguments: { "x-queue-type": "quorum" } });
  await channel.assertQueue("mail", { ...dying, messageTtl: 3_600_000 });
  await channel.assertQueue("audit-log", { maxLength: 5000 });
  await channel.assertQueue("dead-letters");
  await channel.assertQueue("reports", { maxPriority: 5 });
  await channel.bindQueue("orders", "shop", "order.*");
  await channel.bindQueue("payments", "shop", "payment.#");
  await channel.bindQueue("mail", "shop", "mail.*");
  await channel.bindQueue("reports", "shop", "order.sent");
  await channel.bindQueue("audit-log", "audit", "");
  await channel.bindQueue("dead-letters", "dead", "");
  // What says so is rejected, and becomes a dead letter.
  const settle = (channel, message) => (message.properties.headers?.reject ? channel.reject(message, false) : channel.ack(message));
  const done = (channel, message) => setTimeout(() => { try { settle(channel, message); } catch { /* closed meanwhile */ } }, 30);
  const parts = [
    await publisher(broker.amqp, "web-shop", "shop", KINDS, 60),
    await publisher(broker.amqp, "app-gateway", "shop", KINDS.slice(0, 3), 25),
    await consumer(broker.amqp, "order-service", "orders", 20, done),
    await consumer(broker.amqp, "payment-service", "payments", 20, done),
    await consumer(broker.amqp, "mailer", "mail", 5, (channel, message) => setTimeout(() => { try { channel.ack(message); } catch { /* closed */ } }, 120)),
    await consumer(broker.amqp, "audit-writer", "audit-log", 100, done),
    await consumer(broker.amqp, "report-builder", "reports", 10, done),
  ];
  await connection.close();
  return { stop: () => Promise.all(parts.map((part) => part.stop())) };
}

/** What administrators make: users, permissions, virtual hosts, limits, policies, parameters. */
export async function administration(broker) {
  const put = (path, body) => broker.api("PUT", path, body);
  await put("/vhosts/billing", { description: "Invoices and payments of the last ten years", default_queue_type: "quorum" });
  for (const [name, tags] of [["anna", "monitoring"], ["deployer", "policymaker"], ["billing-service", ""]]) await put(`/users/${name}`, { password: "secret", tags });
  await put("/permissions/billing/anna", { configure: "", write: "", read: ".*" });
  await put("/permissions/%2F/anna", { configure: "^billing", write: "^billing", read: ".*" });
  await put("/permissions/billing/billing-service", { configure: "^billing", write: "^(billing|amq\\.topic)", read: "^billing" });
  await put("/permissions/%2F/deployer", { configure: ".*", write: ".*", read: ".*" });
  await put("/topic-permissions/%2F/anna", { exchange: "amq.topic", write: "^billing\\.", read: ".*" });
  await put("/user-limits/anna/max-connections", { value: 10 });
  await put("/user-limits/billing-service/max-channels", { value: 200 });
  await put("/vhost-limits/billing/max-queues", { value: 50 });
  await put("/policies/%2F/limit-exports", { pattern: "^exports", definition: { "max-length": 100_000, overflow: "reject-publish" }, priority: 5, "apply-to": "queues" });
  await put("/policies/%2F/expire-mail", { pattern: "^mial", definition: { "message-ttl": 60_000 }, priority: 0, "apply-to": "queues" });
  await put("/operator-policies/%2F/at-most", { pattern: ".*", definition: { "max-length-bytes": 10_000_000_000 }, priority: 0, "apply-to": "queues" });
  await put("/global-parameters/colour", { name: "colour", value: "green" });
}

/** Problems worth a look. */
export async function trouble(broker) {
  const connection = await amqp.connect(broker.amqp, { clientProperties: { connection_name: "nightly-export" } });
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue("invoices", { deadLetterExchange: "dead" });
  for (let at = 0; at < 140; at += 1) {
    channel.sendToQueue("invoices", Buffer.from(JSON.stringify({ invoice: 4000 + at, total: 19.5, currency: "NZD" })), { contentType: "application/json" });
  }
  await channel.assertQueue("exports");
  await channel.bindQueue("exports", "shop", "order.#");
  await channel.assertQueue("sessions", { durable: false });
  await channel.assertExchange("later", "x-delayed-message", { arguments: { "x-delayed-type": "topic" } });
  for (let at = 1; at <= 4; at += 1) {
    channel.publish("later", "order.remind", Buffer.from(JSON.stringify({ remind: 1000 + at })), { headers: { "x-delay": at * 900_000 } });
  }
  for (const text of ["card declined", "address unknown", "card declined"]) {
    channel.sendToQueue("payments", Buffer.from(JSON.stringify({ payment: 77, error: text })), { headers: { reject: true } });
  }
  await channel.waitForConfirms();
  const failing = await connection.createChannel();
  failing.on("error", () => {});
  await failing.assertQueue("orders", { durable: false }).catch(() => {});
  const other = await connection.createChannel();
  other.on("error", () => {});
  await other.bindQueue("orders", "shopp", "order.*").catch(() => {});
  const holder = await consumer(broker.amqp, "invoice-service", "invoices", 25, () => {});
  return { stop: async () => (await holder.stop(), await connection.close()) };
}
