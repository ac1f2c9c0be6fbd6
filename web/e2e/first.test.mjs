import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import amqp from "amqplib";
import { Broker } from "./broker.mjs";
import { closeBrowser, logIn, openPage, sees, visit } from "./browser.mjs";

let broker;
before(async () => {
  broker = await Broker.start();
});
after(async () => {
  await closeBrowser();
  await broker.end();
});

test("a wrong password is told, and a right one gets in and out", async () => {
  const page = await openPage(broker);
  await page.goto(broker.url);
  await page.getByLabel("Name").fill("guest");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Log in" }).click();
  await sees(page, "does not know this name with this password");
  await page.getByLabel("Password").fill("guest");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("button", { name: "Log in" }).waitFor();
  assert.deepEqual(page.faults, []);
});

test("an empty broker shows how to begin, and one with a message what waits", async () => {
  const page = await openPage(broker);
  await logIn(page, broker);
  await sees(page, "Nothing is wrong.");
  await sees(page, `amqp://guest:guest@127.0.0.1:${broker.amqpPort}/`);
  const connection = await amqp.connect(broker.amqp);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue("orders");
  channel.sendToQueue("orders", Buffer.from('{"order": 1}'), { persistent: true });
  await channel.waitForConfirms();
  await sees(page, "Queue 'orders' in virtual host '/' has no consumer: 1 message wait");
  await visit(page, "#/queues");
  await page.getByRole("link", { name: "orders" }).click();
  await page.getByRole("heading", { name: "orders" }).waitFor();
  await connection.close();
  assert.deepEqual(page.faults, []);
});
