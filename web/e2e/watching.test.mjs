// What passes and what is held back: the tail, alerts and delayed messages of Leveret's own API.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { eventually } from "./broker.mjs";
import { sees, visit } from "./browser.mjs";
import { clearStage, setStage } from "./stage.mjs";

let broker, connection, channel, page;
async function prepare(channel) {
  await channel.assertExchange("shop", "topic");
  await channel.assertQueue("orders");
  await channel.bindQueue("orders", "shop", "order.*");
}
before(async () => ({ broker, connection, channel, page } = await setStage({ prepare, options: { acceptDownloads: true } })));
after(() => clearStage({ broker, connection }));

const dialog = () => page.getByRole("dialog");
const publish = (key, body, options = {}, exchange = "shop") => channel.publish(exchange, key, Buffer.from(body), options);

test("messages are seen as they pass, with the queues that they reach, and nothing is consumed", async () => {
  await visit(page, "#/live");
  await eventually("the first message passes", async () => {
    publish("order.new", '{"order": 7}');
    publish("lost.new", "nobody");
    await channel.waitForConfirms();
    return (await page.getByRole("button", { name: /order.*7/ }).count()) > 0;
  });
  await page.getByRole("link", { name: "orders" }).first().waitFor();
  await page.getByRole("row", { name: /lost\.new none/ }).first().waitFor();
  await page.getByLabel("Routing key like").fill("order.#");
  await page.getByRole("button", { name: "Clear" }).click();
  await eventually("only what was asked for passes", async () => {
    publish("lost.new", "nobody");
    publish("order.paid", "paid");
    await channel.waitForConfirms();
    return (await page.getByRole("button", { name: "paid" }).count()) > 0;
  });
  await page.getByRole("button", { name: "Pause" }).click();
  await sees(page, "Paused.");
  await page.getByRole("button", { name: "paid" }).first().click();
  await dialog().getByText("paid").first().waitFor();
  await dialog().getByRole("tab", { name: "JSON" }).click();
  await dialog().getByText('"routing_key": "order.paid"').waitFor();
  await page.keyboard.press("Escape");
  const saving = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save as JSON" }).click();
  const saved = readFileSync(await (await saving).path(), "utf8").trim().split("\n").map(JSON.parse);
  assert.ok(saved.length > 0 && saved.every((message) => message.routing_key === "order.paid"));
  assert.ok((await broker.api("GET", "/queues/%2F/orders")).messages_ready > 1);
});

test("delayed messages are listed, brought forward and cancelled", async () => {
  await channel.assertExchange("later", "x-delayed-message", { arguments: { "x-delayed-type": "topic" } });
  await channel.assertQueue("reminders");
  await channel.bindQueue("reminders", "later", "#");
  for (const [body, delay] of [["soon", 600_000], ["later", 900_000], ["never", 1_200_000]]) publish("remind", body, { headers: { "x-delay": delay } }, "later");
  await channel.waitForConfirms();
  await visit(page, "#/delayed");
  await sees(page, "3 messages");
  const row = (text) => page.getByRole("row").filter({ hasText: text });
  await row("soon").getByRole("checkbox").check();
  await page.getByRole("button", { name: "Publish now" }).click();
  await dialog().getByRole("button", { name: "Publish now" }).click();
  await sees(page, "1 message published.");
  const message = await eventually("it is routed", () => channel.get("reminders", { noAck: true }));
  assert.equal(message.content.toString(), "soon");
  await row("never").getByRole("checkbox").check();
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await dialog().getByRole("button", { name: "Cancel messages" }).click();
  await sees(page, "1 message cancelled.");
  await eventually("one is left", async () => (await page.locator("tbody tr").count()) === 1);
});

test("alerts have their rules", async () => {
  await visit(page, "#/alerts");
  await page.getByRole("heading", { name: "Rules" }).waitFor();
  await page.getByRole("cell", { name: "no consumers" }).waitFor();
  assert.deepEqual(page.faults, []);
});
