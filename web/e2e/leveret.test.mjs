// What only Leveret's own API has: docs/leveret-api.md.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import amqp from "amqplib";
import { eventually } from "./broker.mjs";
import { sees, visit } from "./browser.mjs";
import { clearStage, setStage } from "./stage.mjs";

let broker, connection, channel, page;
async function prepare(channel) {
  await channel.assertExchange("shop", "topic");
  await channel.assertQueue("orders", { deadLetterExchange: "", deadLetterRoutingKey: "dead" });
  await channel.assertQueue("dead");
  await channel.bindQueue("orders", "shop", "order.*");
}
before(async () => ({ broker, connection, channel, page } = await setStage({ name: "shop", prepare })));
after(() => clearStage({ broker, connection }));

const dialog = () => page.getByRole("dialog");
const send = async (queue, ...bodies) => {
  for (const body of bodies) channel.sendToQueue(queue, Buffer.from(body));
  await channel.waitForConfirms();
};
const ready = async (queue) => (await broker.api("GET", `/queues/%2F/${queue}`)).messages_ready;

/** Lets messages of `orders` die. */
async function die(...bodies) {
  await send("orders", ...bodies);
  for (const _ of bodies) {
    const message = await eventually("a message to reject", () => channel.get("orders"));
    channel.reject(message, false);
  }
  await eventually("the dead letters are there", async () => (await ready("dead")) >= bodies.length);
}

test("chosen messages are deleted and moved, and the others stay", async () => {
  await send("dead", "one", "two", "three");
  await channel.assertQueue("aside");
  await visit(page, "#/queues/%2F/dead?tab=messages");
  await page.getByLabel("Select message 1").check();
  await page.getByRole("group", { name: /selected messages/ }).getByRole("button", { name: "Delete" }).click();
  await dialog().getByRole("button", { name: "Delete" }).click();
  await sees(page, "1 message deleted.");
  await page.getByRole("button", { name: "three" }).waitFor();
  await eventually("two is gone", async () => (await page.getByRole("button", { name: "two" }).count()) === 0);
  await page.getByLabel("Select message 1").check();
  await page.getByRole("button", { name: "Move", exact: true }).click();
  await dialog().getByLabel("Queue").fill("nowhere");
  await dialog().getByRole("button", { name: "Move" }).click();
  await dialog().getByRole("alert").waitFor();
  await dialog().getByLabel("Queue").fill("aside");
  await dialog().getByRole("button", { name: "Move" }).click();
  await sees(page, "1 message moved.");
  const moved = await channel.get("aside", { noAck: true });
  assert.equal(moved.content.toString(), "three");
  assert.equal(await ready("dead"), 1);
  await channel.purgeQueue("dead");
});

test("dead letters tell their story, and go back after a dry run", async () => {
  await die("first", "second");
  await visit(page, "#/queues/%2F/dead?tab=messages");
  await page.getByRole("button", { name: "first" }).click();
  await dialog().getByRole("tab", { name: "Story" }).click();
  await dialog().getByText("In queue 'orders' it was rejected by a consumer, once.").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Send back or move all" }).click();
  await dialog().getByRole("button", { name: "See what would be done" }).click();
  await dialog().getByText("Of 2 messages, 2 would be sent, and 0 would stay.").waitFor();
  assert.equal(await ready("dead"), 2, "a dry run does nothing");
  await dialog().getByRole("button", { name: "Send 2 messages" }).click();
  await sees(page, "2 messages sent.");
  assert.equal(await ready("orders"), 2);
  assert.equal(await ready("dead"), 0);
  await channel.purgeQueue("orders");
});

test("a queue is paused and resumed", async () => {
  await send("orders", "waits");
  await visit(page, "#/queues/%2F/orders");
  await page.getByRole("button", { name: "Pause" }).click();
  await dialog().getByRole("button", { name: "Pause" }).click();
  await sees(page, "This queue is paused");
  assert.equal(await channel.get("orders", { noAck: true }), false);
  await page.getByRole("button", { name: "Resume" }).click();
  await dialog().getByRole("button", { name: "Resume" }).click();
  await eventually("it delivers again", () => channel.get("orders", { noAck: true }));
});

test("where a message would go is told with the reasons", async () => {
  await visit(page, "#/exchanges/%2F/shop");
  await page.getByRole("link", { name: "Where would it go?" }).click();
  // The exchange's page has routing keys, too: not before it has gone.
  await page.getByRole("button", { name: "Where would it go?" }).waitFor();
  await page.getByLabel("Routing key").fill("order.new");
  await page.getByRole("button", { name: "Where would it go?" }).click();
  await sees(page, "It reaches 1 queue.");
  await page.getByLabel("Routing key").fill("orders.new");
  await page.getByRole("button", { name: "Where would it go?" }).click();
  await sees(page, "It reaches no queue");
  await sees(page, /'orders\.new' does not match/);
  await page.getByLabel("Exchange").fill("missing");
  await page.getByRole("button", { name: "Where would it go?" }).click();
  await sees(page, "There is no such exchange");
});

test("an error is explained with both values", async () => {
  const other = await amqp.connect(broker.amqp);
  const failing = await other.createChannel();
  failing.on("error", () => {});
  await assert.rejects(failing.assertQueue("orders", { durable: false }));
  await visit(page, "#/errors");
  await sees(page, "inequivalent arg 'durable'");
  await sees(page, /durable is true, and the program wants false/);
  await sees(page, /It was declared .* by shop, user guest/);
  await page.getByRole("link", { name: "Look at queue 'orders'" }).click();
  await page.getByRole("heading", { name: "orders" }).waitFor();
  await other.close();
});

test("a virtual host is made as new, after its name was typed", async () => {
  await broker.api("PUT", "/vhosts/trial", {});
  await broker.queue("old", {}, "trial");
  await visit(page, "#/vhosts/trial");
  await page.getByRole("button", { name: "Reset" }).click();
  await dialog().getByLabel(/Type trial/).fill("trial");
  await dialog().getByRole("button", { name: "Reset" }).click();
  await sees(page, "Gone: 1 queue");
  assert.deepEqual(await broker.api("GET", "/queues/trial"), []);
  assert.deepEqual(page.faults, []);
});
