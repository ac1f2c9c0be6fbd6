import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import amqp from "amqplib";
import { Broker, eventually } from "./broker.mjs";
import { closeBrowser, logIn, openPage, sees, visit } from "./browser.mjs";

const QUEUES = 10_000;

let broker, page;
before(async () => {
  broker = await Broker.start();
  const connection = await amqp.connect(broker.amqp);
  const channel = await connection.createChannel();
  for (let at = 0; at < QUEUES; at += 200) {
    const some = Array.from({ length: 200 }, (_, more) => `queue.${String(at + more).padStart(5, "0")}`);
    await Promise.all(some.map((name) => channel.assertQueue(name, { durable: false })));
  }
  await connection.close();
  page = await openPage(broker);
  await logIn(page, broker);
});
after(async () => {
  await closeBrowser();
  await broker.end();
});

test("10,000 queues are listed in pages, filtered and sorted by the broker", async () => {
  await visit(page, "#/queues");
  await sees(page, "10,000 queues");
  await eventually("a page of 100", async () => (await page.locator("tbody tr").count()) === 100);
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByRole("link", { name: "queue.00100" }).waitFor();
  await page.getByLabel("Filter by name").pressSequentially("queue.0999");
  await sees(page, "10 of 10,000 queues");
  await page.getByLabel("Filter by name").fill("0{3}[12]$");
  await page.getByLabel("Regex").check();
  await sees(page, "2 of 10,000 queues");
  await page.getByRole("button", { name: "Name" }).click();
  await page.reload();
  await sees(page, "2 of 10,000 queues");
  await eventually("the address says what is shown", async () => (await page.getByLabel("Filter by name").inputValue()) === "0{3}[12]$");
  assert.deepEqual(page.faults, []);
});

test("500 queues are drawn while one goes on typing", async () => {
  await visit(page, "#/topology");
  await sees(page, "Only the first 500 queues are drawn");
  await page.getByLabel("Also queues that nothing is bound to").check();
  await page.getByLabel("Show what is around a name").pressSequentially("queue.0012");
  await eventually("10 queues are drawn", async () => (await page.locator("svg a.node").count()) === 10);
  await page.getByLabel("Show what is around a name").fill("");
  await eventually("500 queues are drawn", async () => (await page.locator("svg a.node.queue").count()) === 500);
  assert.deepEqual(page.faults, []);
});
