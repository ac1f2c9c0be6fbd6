// Makes the pictures of docs/pages/, in light and dark: a shop at work, with a few problems. `npm run pictures` calls it.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import amqp from "amqplib";
import { Broker, eventually, pause } from "./broker.mjs";
import { closeBrowser, logIn, openPage, sees, visit } from "./browser.mjs";
import { consumer, publisher, shop } from "./scene.mjs";

const into = resolve(import.meta.dirname, "../../docs/pages");
/** Charts of a broker that has just started show nothing. */
const WARM_UP_MS = Number(process.env.WARM_UP_SECONDS ?? 75) * 1000;

/** Problems worth a picture. */
async function trouble(broker) {
  const connection = await amqp.connect(broker.amqp);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue("invoices", { deadLetterExchange: "dead" });
  for (let at = 0; at < 140; at += 1) channel.sendToQueue("invoices", Buffer.from(JSON.stringify({ invoice: 4000 + at, total: 19.5, currency: "NZD" })), { contentType: "application/json" });
  await channel.assertQueue("exports");
  await channel.bindQueue("exports", "shop", "order.#");
  await channel.assertExchange("later", "x-delayed-message", { arguments: { "x-delayed-type": "topic" } });
  for (let at = 1; at <= 4; at += 1) channel.publish("later", "order.remind", Buffer.from(JSON.stringify({ remind: 1000 + at })), { headers: { "x-delay": at * 900_000 } });
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
  const parts = [await consumer(broker.amqp, "invoice-service", "invoices", 25, () => {})];
  return { stop: async () => (await Promise.all(parts.map((part) => part.stop())), await connection.close()) };
}

/** What is pictured: name, address, and what must be seen or done first. */
const PICTURES = [
  ["overview", "#/", async (page) => sees(page, "need a look")],
  ["queues", "#/queues", async (page) => sees(page, "payments")],
  ["queue", "#/queues/%2F/orders", async (page) => sees(page, "Oldest ready")],
  ["messages", "#/queues/%2F/invoices?tab=messages", async (page) => page.getByRole("button", { name: /invoice/ }).first().waitFor()],
  [
    "message",
    "#/queues/%2F/dead-letters?tab=messages",
    async (page) => {
      await page.getByRole("button", { name: /payment/ }).first().click();
      await page.getByRole("dialog").getByRole("tab", { name: "Story" }).click();
    },
  ],
  ["where", "#/where?vhost=%2F&exchange=shop&key=order.sent", async (page) => sees(page, "It reaches")],
  ["topology", "#/topology", async (page) => page.locator("svg .node").first().waitFor()],
  ["errors", "#/errors", async (page) => sees(page, "the program wants")],
  ["live", "#/live", async (page) => eventually("messages pass", async () => (await page.locator("tbody tr").count()) > 14)],
  ["connections", "#/connections", async (page) => sees(page, "web-shop")],
];

const broker = await Broker.start();
const scene = await shop(broker);
// What says so is rejected, and becomes a dead letter.
const judge = await consumer(broker.amqp, "fraud-check", "payments", 5, (channel, message) => (message.properties.headers.reject ? channel.reject(message, false) : channel.ack(message)));
const problems = await trouble(broker);
try {
  await broker.api("PUT", "/policies/%2F/limit-exports", { pattern: "^exports", definition: { "max-length": 100_000 }, priority: 5, "apply-to": "queues" }).catch(() => {});
  await broker.api("PUT", "/policies/%2F/expire-mail", { pattern: "^mial", definition: { "message-ttl": 60_000 }, priority: 0, "apply-to": "queues" }).catch(() => {});
  await pause(WARM_UP_MS);
  mkdirSync(into, { recursive: true });
  for (const file of readdirSync(into).filter((name) => name.endsWith(".png"))) rmSync(join(into, file));
  for (const colorScheme of ["light", "dark"]) {
    const page = await openPage(broker, { colorScheme, viewport: { width: 1280, height: 800 } });
    await logIn(page, broker);
    for (const [name, hash, ready] of PICTURES) {
      await visit(page, hash);
      await ready(page);
      // What is under the mouse looks otherwise.
      await page.mouse.move(0, 0);
      await pause(600);
      const file = join(into, `${name}-${colorScheme}.png`);
      await page.screenshot({ path: file });
      // A palette makes it a third as large, and nobody sees it.
      execFileSync("pngquant", ["--force", "--skip-if-larger", "--quality=70-95", "--speed=1", "--output", file, file]);
      console.log(file);
    }
    await page.context().close();
  }
} finally {
  await Promise.all([scene.stop(), judge.stop(), problems.stop()]);
  await closeBrowser();
  await broker.end();
}
