// The pages below a path, as behind a proxy that has other things beside them: nothing that they ask for may be elsewhere.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Broker } from "./broker.mjs";
import { closeBrowser, logIn, openPage, sees, visit } from "./browser.mjs";

let broker;
before(async () => {
  broker = await Broker.start("--http-path-prefix", "/mq/prod");
  // From here on it is an error to ask for anything above.
  broker.url += "/mq/prod";
  await broker.queue("orders");
  await broker.api("POST", "/bindings/%2F/e/amq.topic/q/orders", { routing_key: "order.*" });
});
after(async () => {
  await closeBrowser();
  await broker.end();
});

test("all pages work below a prefix", async () => {
  const page = await openPage(broker);
  await page.goto(new URL("/", broker.url).href);
  assert.equal(page.url().replace(/#.*/, ""), `${broker.url}/`, "the root leads there");
  page.faults.length = 0;
  await logIn(page, broker, "#/queues");
  await sees(page, "orders");
  for (const [hash, shown] of [["#/", "Messages a second"], ["#/queues/%2F/orders?tab=bindings", "order.*"], ["#/topology", "amq.topic"], ["#/live", "Live"], ["#/users", "administrator"]]) {
    await visit(page, hash);
    await sees(page, shown);
  }
  await page.reload();
  await sees(page, "administrator");
  await page.getByRole("link", { name: "HTTP API" }).click();
  await sees(page, "/api/whoami");
  assert.equal(page.url(), `${broker.url}/api/index.html`);
  await page.getByRole("link", { name: "Command line" }).click();
  await sees(page, "rabbitmqadmin");
  await page.getByRole("link", { name: "Management pages" }).click();
  await sees(page, "Messages a second");
  assert.deepEqual(page.faults, []);
});
