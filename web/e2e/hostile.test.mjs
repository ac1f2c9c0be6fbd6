import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import amqp from "amqplib";
import { Broker, eventually } from "./broker.mjs";
import { closeBrowser, logIn, openPage, sees, visit } from "./browser.mjs";

const SCRIPT = `<img src=x onerror="window.hit=1"><script>window.hit=1</script>`;
const NAMES = [SCRIPT, "👋".repeat(63), "\u202eadmin", "a/b?c=d&e#f%2F", " ", "x".repeat(255), "\t", "עברית", "javascript:alert(1)"];

let broker, connection, page;
before(async () => {
  broker = await Broker.start();
  connection = await amqp.connect(broker.amqp);
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange(SCRIPT, "topic");
  for (const name of NAMES) {
    await channel.assertQueue(name);
    await channel.bindQueue(name, SCRIPT, SCRIPT);
    channel.publish("", name, Buffer.from(SCRIPT), { headers: { [SCRIPT]: SCRIPT }, type: SCRIPT });
  }
  await channel.assertQueue("large");
  // Answers are compressed on their way: what is to be counted must not be.
  channel.publish("", "large", randomBytes(16 * 1024 * 1024 - 1024));
  await channel.waitForConfirms();
  page = await openPage(broker);
  await logIn(page, broker);
});
after(async () => {
  await connection.close();
  await closeBrowser();
  await broker.end();
});

const isUnhurt = async () => {
  assert.equal(await page.evaluate(() => window.hit), undefined);
  assert.equal(await page.evaluate(() => document.querySelectorAll("main script, main img[src=x]").length), 0);
};

test("names that want to be something else stay names", async () => {
  await visit(page, "#/queues");
  await sees(page, "<img src=x onerror=");
  await sees(page, "\\u{202e}admin");
  await isUnhurt();
  for (const name of NAMES) {
    await visit(page, `#/queues/%2F/${encodeURIComponent(name)}`);
    await eventually(`the page of ${JSON.stringify(name)}`, async () => (await page.getByRole("region", { name: "Numbers" }).count()) === 1);
    await page.getByRole("tab", { name: "Bindings" }).click();
    await page.getByRole("cell", { name: /onerror/ }).first().waitFor();
    await isUnhurt();
  }
  for (const hash of ["#/exchanges", `#/exchanges/%2F/${encodeURIComponent(SCRIPT)}`, "#/topology", "#/"]) {
    await visit(page, hash);
    await sees(page, "<img src=x");
    await isUnhurt();
  }
  assert.deepEqual(page.faults, []);
});

test("bodies and headers that want to be something else stay text", async () => {
  await visit(page, `#/queues/%2F/${encodeURIComponent(SCRIPT)}?tab=messages`);
  await page.getByRole("table").getByRole("button").first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("<script>window.hit=1</script>").first().waitFor();
  await dialog.getByRole("tab", { name: /Headers/ }).click();
  await dialog.getByRole("tab", { name: "Properties" }).click();
  await isUnhurt();
  await page.keyboard.press("Escape");
});

test("a body of 16 MiB is not loaded whole", async () => {
  const sizes = [];
  page.on("response", (response) => sizes.push(response.request().sizes().catch(() => ({ responseBodySize: 0 }))));
  await visit(page, "#/queues/%2F/large?tab=messages");
  await page.getByRole("table").getByRole("button").first().click();
  await sees(page, "of which the first 1.0 MiB are shown");
  const largest = Math.max(...(await Promise.all(sizes)).map((size) => size.responseBodySize));
  assert.ok(largest > 1024 * 1024 && largest < 2 * 1024 * 1024, `${largest} bytes`);
});
