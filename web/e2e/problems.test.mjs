// Five problems that people have, planted: each must be told on the first page, and the way from there to its reason be short.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import amqp from "amqplib";
import { Broker } from "./broker.mjs";
import { RULES, closeBrowser, logIn, openPage, sees, violations, visit } from "./browser.mjs";
import { consumer, publisher } from "./scene.mjs";

let broker, page;
/** When everything was planted. */
let planted;
const parts = [];
before(async () => {
  broker = await Broker.start();
  const connection = await amqp.connect(broker.amqp);
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange("shop", "topic");
  // A poison message that goes round through a dead-letter exchange and a queue in which it waits.
  await channel.assertExchange("retry", "fanout");
  await channel.assertQueue("invoices", { deadLetterExchange: "retry" });
  await channel.assertQueue("invoices.wait", { messageTtl: 300, deadLetterExchange: "", deadLetterRoutingKey: "invoices" });
  await channel.bindQueue("invoices.wait", "retry", "");
  channel.sendToQueue("invoices", Buffer.from('{"invoice": 13}'));
  // A consumer that does not acknowledge.
  await channel.assertQueue("orders");
  for (let at = 0; at < 40; at += 1) channel.sendToQueue("orders", Buffer.from("order"));
  // A queue that grows behind a wrong binding.
  await channel.assertQueue("audit");
  await channel.bindQueue("audit", "shop", "#");
  // A publisher whose routing key no binding matches.
  await channel.assertExchange("events", "topic");
  await channel.assertQueue("signups");
  await channel.bindQueue("signups", "events", "user.signup");
  // A policy that does not match.
  await broker.api("PUT", "/policies/%2F/limit-orders", { pattern: "^ordres", definition: { "max-length": 1000 }, priority: 0, "apply-to": "queues" });
  await channel.waitForConfirms();
  await connection.close();
  parts.push(
    await consumer(broker.amqp, "invoice-service", "invoices", 1, (channel, message) => channel.reject(message, false)),
    await consumer(broker.amqp, "slow-service", "orders", 10, () => {}),
    await consumer(broker.amqp, "signup-service", "signups", 10, (channel, message) => channel.ack(message)),
    await publisher(broker.amqp, "web-shop", "shop", ["order.new"], 20),
    await publisher(broker.amqp, "signup-form", "events", ["users.signup"], 20),
  );
  planted = Date.now();
  page = await openPage(broker);
  await logIn(page, broker);
  // What the table in docs/pages/README.md says: when each is told to somebody who only looks at the first page.
  const waiting = Object.entries(TOLD).map(async ([name, text]) => {
    await page.getByRole("listitem").filter({ hasText: text }).first().waitFor();
    console.log(`${name}: told ${((Date.now() - planted) / 1000).toFixed(0)} s after it was planted`);
  });
  await Promise.all(waiting);
});
after(async () => {
  await Promise.all(parts.map((part) => part.stop()));
  await closeBrowser();
  await broker.end();
});

/** What the first page says of each. */
const TOLD = {
  "poison message": /Queue 'invoices'.*(again and again|redeliver)/,
  "consumer that does not acknowledge": /Queue 'orders'.*do not acknowledge/,
  "queue behind a wrong binding": /Queue 'audit'.*no consumer/,
  "unroutable publisher": /Exchange 'events'.*They come from connection 'signup-form'/,
  "policy that matches nothing": /Policy 'limit-orders'/,
};

/** The problem of the first page that says this. */
async function problem(text) {
  await visit(page, "#/");
  const row = page.getByRole("listitem").filter({ hasText: text });
  await row.first().waitFor();
  return row.first();
}

test("what is told can be read by everybody, light and dark", async () => {
  await visit(page, "#/");
  await problem(TOLD["poison message"]);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.locator(`html[data-theme=${colorScheme}]`).waitFor();
    assert.deepEqual(await violations(page, ...RULES[colorScheme]), [], colorScheme);
  }
});

test("a poison message: 4 clicks to its story", async () => {
  const row = await problem(TOLD["poison message"]);
  await row.getByRole("link").click();
  await page.getByRole("link", { name: "invoices.wait" }).click();
  await page.getByRole("heading", { name: "invoices.wait" }).waitFor();
  await page.getByRole("button", { name: /invoice.*13/ }).click();
  await sees(page, /goes round and round: it died \d+ times/);
  await page.getByRole("dialog").getByRole("tab", { name: "Story" }).click();
  await sees(page, /First (now|\d+ (s|min) ago) In queue 'invoices' it was rejected by a consumer, \d+ times/);
  await page.keyboard.press("Escape");
});

test("a consumer that does not acknowledge: 1 click to its program", async () => {
  const row = await problem(TOLD["consumer that does not acknowledge"]);
  await row.getByRole("link").click();
  await page.getByRole("link", { name: "slow-service" }).waitFor();
  await sees(page, "1 consumer holds messages and acknowledges none");
});

test("a queue that grows behind a wrong binding: 1 click to the binding", async () => {
  const row = await problem(TOLD["queue behind a wrong binding"]);
  await row.getByRole("link").click();
  await page.getByRole("cell", { name: "#", exact: true }).waitFor();
});

test("a publisher whose messages reach no queue: 1 click to the bindings", async () => {
  const row = await problem(TOLD["unroutable publisher"]);
  await row.getByRole("link").click();
  await sees(page, "none reaches a queue");
  await page.getByRole("cell", { name: "user.signup" }).waitFor();
});

test("a policy that matches nothing: 1 click to what was meant", async () => {
  const row = await problem(TOLD["policy that matches nothing"]);
  await row.getByRole("link").click();
  await sees(page, /Nearly the same:\s*orders/);
  assert.deepEqual(page.faults, []);
});
