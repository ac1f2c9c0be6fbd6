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
  const connection = await amqp.connect(broker.amqp);
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
  const done = (channel, message) => setTimeout(() => { try { channel.ack(message); } catch { /* closed meanwhile */ } }, 30);
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
