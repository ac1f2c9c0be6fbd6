// An alarm, and what it blocks: told on the first page with numbers, place and next step, and gone when it is over.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import amqp from "amqplib";
import { Broker, eventually } from "./broker.mjs";
import { closeBrowser, logIn, openPage, visit } from "./browser.mjs";

let broker, page;
const connections = [];
before(async () => {
  broker = await Broker.start();
  const connection = await amqp.connect(broker.amqp);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue("waiting");
  for (let at = 0; at < 1000; at += 1) channel.sendToQueue("waiting", Buffer.from("x"));
  await channel.waitForConfirms();
  await connection.close();
  page = await openPage(broker);
  await logIn(page, broker);
  await page.getByLabel("Refresh").selectOption("1");
});
after(async () => {
  for (const connection of connections) await connection.close();
  await closeBrowser();
  await broker.end();
});

const set = (setting, value) => broker.api("PUT", `/leveret/settings/${setting}`, { value });
const told = (text) => page.getByRole("listitem").filter({ hasText: text });

/** What the pages say of alarms, and what the broker says. */
const ABOUT = /alarm|blocked|too much memory|too little free/;

/** A program that publishes once: while an alarm is on, this blocks its connection. */
async function publish(name) {
  const connection = await amqp.connect(broker.amqp, { clientProperties: { connection_name: name } });
  connections.push(connection);
  const channel = await connection.createChannel();
  channel.publish("", "nowhere", Buffer.from("1"));
}

for (const { alarm, setting, usual, raise, numbers, next } of [
  {
    alarm: "memory",
    setting: "memory_high_watermark",
    usual: "60%",
    // As `rabbitmqctl set_vm_memory_high_watermark absolute 1KiB` asks for: what waits in the queue takes more.
    raise: "1KiB",
    numbers: /The memory alarm is on: [\d.]+ MiB are used, and 1\.0 KiB is the limit\. Publishers are blocked\./,
    next: /purge queues that nobody needs, or raise the limit/,
  },
  {
    alarm: "disk",
    setting: "disk_free_limit",
    usual: "50MB",
    raise: "1000000GB",
    numbers: /The disk alarm is on: [\d.,]+ \S+ are free, and [\d.,]+ \S+ must be\. Publishers are blocked\./,
    next: /Make room on the disk of the data directory, or lower the limit/,
  },
]) {
  test(`a ${alarm} alarm and what it blocks are told, lead to their places, and go when it is over`, async () => {
    await visit(page, "#/");
    await told("Queue 'waiting'").waitFor();
    assert.equal(await told(ABOUT).count(), 0);
    await set(setting, raise);
    const row = told(numbers);
    await row.waitFor();
    assert.match(await row.innerText(), next);
    await publish(`${alarm}-shop`);
    const one = told(new RegExp(`1 connection wants to publish, and is blocked by an alarm: '${alarm}-shop'\\.`));
    await one.waitFor();
    await one.getByText("It goes on without help when the alarm is over.").waitFor();
    // What the broker itself says of both, some seconds later, is not told once more.
    await eventually("the broker has its alert, too", async () => (await broker.api("GET", "/leveret/alerts")).active.some((alert) => alert.rule === "blocked_connections"));
    await one.getByText(/Noticed/).waitFor();
    assert.equal(await told(ABOUT).count(), 2);

    await one.getByRole("link").click();
    await page.getByRole("heading", { level: 1, name: `${alarm}-shop` }).waitFor();
    await page.getByText("This connection is not read: it publishes, and an alarm is on.").waitFor();
    await visit(page, "#/");
    await row.getByRole("link", { name: "Look at the node" }).click();
    await page.getByRole("alert").getByText(`The ${alarm} alarm is on`).waitFor();

    await publish(`${alarm}-app`);
    await visit(page, "#/");
    const two = told("2 connections want to publish, and are blocked by an alarm");
    await two.waitFor();
    for (const name of ["shop", "app"]) assert.match(await two.innerText(), new RegExp(`'${alarm}-${name}'`));
    await two.getByRole("link").click();
    await page.getByRole("heading", { level: 1, name: "Connections" }).waitFor();
    for (const name of ["shop", "app"]) await page.getByRole("row").filter({ hasText: `${alarm}-${name}` }).getByText("blocked").waitFor();

    await visit(page, "#/");
    await set(setting, usual);
    await eventually("nothing of it is told any more", async () => (await told(ABOUT).count()) === 0);
    await told("Queue 'waiting'").waitFor();
    await visit(page, "#/connections");
    await page.getByRole("row").filter({ hasText: `${alarm}-app` }).getByText("running").waitFor();
    assert.deepEqual(page.faults, []);
  });
}
