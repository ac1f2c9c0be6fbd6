import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import amqp from "amqplib";
import { Broker, eventually } from "./broker.mjs";
import { closeBrowser, logIn, openPage, sees, visit } from "./browser.mjs";
import { shop } from "./scene.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let broker, scene;
before(async () => {
  broker = await Broker.start();
  scene = await shop(broker);
});
after(async () => {
  await scene.stop();
  await closeBrowser();
  await broker.end();
});

/** Every page, and what it shows when it is there. */
async function places() {
  const [connection] = await broker.api("GET", "/connections");
  const [channel] = await broker.api("GET", "/channels");
  const of = encodeURIComponent;
  return [
    ["#/", "Messages a second"],
    ["#/cluster-name", "Cluster"],
    ["#/nodes/rabbit%40localhost", "Resources"],
    ["#/queues", "payments"],
    ["#/queues/%2F/orders", "Oldest ready"],
    ["#/queues/%2F/orders?tab=messages", "Looking changes nothing"],
    ["#/queues/%2F/orders?tab=bindings", "order.*"],
    ["#/queues/%2F/orders?tab=consumers", "order-service-1"],
    ["#/queues/%2F/orders?tab=arguments", "x-dead-letter-exchange"],
    ["#/exchanges", "amq.topic"],
    ["#/exchanges/%2F/shop", "payment.#"],
    ["#/exchanges/%2F/amq.default", "Every queue is bound to this exchange"],
    ["#/topology", "dead letters"],
    ["#/connections", "web-shop"],
    [`#/connections/${of(connection.name)}`, "Heartbeat"],
    ["#/channels", connection.peer_host],
    [`#/channels/${of(channel.name)}`, "Not confirmed yet"],
    ["#/consumers", "mailer-1"],
    ["#/errors", "Errors"],
    ["#/alerts", "Alerts"],
    ["#/live", "Live"],
    ["#/where?vhost=%2F&exchange=shop&key=order.new", "Where would it go?"],
    ["#/delayed", "Delayed"],
    ["#/users", "administrator"],
    ["#/users/guest", "May configure"],
    ["#/vhosts", "Description"],
    ["#/vhosts/%2F", "May write to"],
    ["#/policies", "Operator policies"],
    ["#/limits", "Of virtual hosts"],
    ["#/parameters", "Of the whole broker"],
    ["#/feature-flags", "Deprecated features"],
    ["#/definitions", "Save definitions"],
    ["#/no/such/page", "There is no such page"],
  ];
}

async function violations(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary?.split("\n")[1] ?? ""}`));
}

for (const colorScheme of ["light", "dark"]) {
  test(`every page is there and accessible, ${colorScheme}`, async () => {
    const page = await openPage(broker, { colorScheme, reducedMotion: "reduce" });
    await logIn(page, broker);
    for (const [hash, text] of await places()) {
      await visit(page, hash);
      await sees(page, text);
      assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), colorScheme);
      assert.deepEqual(await violations(page), [], hash);
    }
    assert.deepEqual(page.faults, []);
  });
}

test("nothing is wider than a phone, and the menu leads everywhere", async () => {
  const page = await openPage(broker, { viewport: { width: 390, height: 844 } });
  await logIn(page, broker);
  for (const [hash, text] of await places()) {
    await visit(page, hash);
    await sees(page, text);
    const [shown, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(shown <= room, `${hash} is ${shown} wide`);
  }
  await page.getByRole("button", { name: "Menu" }).click();
  await page.getByRole("link", { name: "Queues", exact: true }).click();
  await page.getByRole("heading", { name: "Queues" }).waitFor();
  await page.getByRole("link", { name: "Channels" }).waitFor({ state: "hidden" });
});

test("anything is found with the keyboard alone", async () => {
  const page = await openPage(broker);
  await logIn(page, broker);
  await page.keyboard.press("Control+k");
  // Without a pause: what is typed right behind the keys must not be lost.
  await page.keyboard.type("paym");
  await page.getByRole("option", { name: /payments/ }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "payments" }).waitFor();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("definitions");
  await page.getByRole("option", { name: /Export or import/ }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("Control+k");
  await page.keyboard.type("make a queue");
  await page.getByRole("option", { name: "Make a queue" }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByLabel("Name", { exact: true }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("Control+k");
  await page.keyboard.type("dark");
  await page.keyboard.press("Enter");
  await page.locator("html[data-theme=dark]").waitFor();
});

test("how far charts reach is chosen once for all, and kept", async () => {
  const page = await openPage(broker);
  await logIn(page, broker);
  await page.getByRole("group", { name: "Time range" }).getByRole("button", { name: "1 h" }).click();
  const asked = page.waitForRequest((request) => request.url().includes("/api/queues/%2F/orders?") && request.url().includes("lengths_age=3600"));
  await visit(page, "#/queues/%2F/orders");
  await asked;
  await page.getByRole("button", { name: "1 h", pressed: true }).waitFor();
});

test("the API and the command line have pages of their own", async () => {
  const page = await openPage(broker);
  await page.goto(`${broker.url}/api/`);
  await page.getByLabel("Find a path or a word").fill("post redrive");
  await page.getByText("/api/leveret/queues/{vhost}/{queue}/redrive").waitFor();
  await page.getByText("1 operation of version").waitFor();
  assert.deepEqual(await violations(page), []);
  await page.getByRole("link", { name: "Command line" }).click();
  await page.getByRole("heading", { name: "rabbitmqadmin" }).waitFor();
  assert.deepEqual(await violations(page), []);
  assert.deepEqual(page.faults, []);
});

test("the colours that were chosen stay", async () => {
  const page = await openPage(broker, { colorScheme: "light" });
  await logIn(page, broker);
  await page.getByLabel("Colours").selectOption("dark");
  await page.reload();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
});

test("a restart of the broker is told, and the page goes on by itself", async () => {
  const other = await Broker.start();
  const connection = await amqp.connect(other.amqp);
  const channel = await connection.createChannel();
  await channel.assertQueue("kept");
  connection.on("error", () => {});
  const page = await openPage(other);
  await logIn(page, other, "#/queues");
  await page.getByLabel("Refresh").selectOption("1");
  await page.getByRole("link", { name: "kept" }).waitFor();
  await other.stop();
  await sees(page, "The broker has not answered since");
  assert.equal(await page.getByRole("link", { name: "kept" }).count(), 1, "what was seen stays");
  await other.startAgain();
  await eventually("the warning goes", async () => !(await page.locator("body").innerText()).includes("has not answered"));
  await page.getByRole("link", { name: "kept" }).waitFor();
  await page.context().close();
  await other.end();
});

test("the first view is under 200 kB, and asks nobody else", async () => {
  const page = await openPage(broker);
  const sizes = [];
  page.on("response", (response) => {
    if (!response.url().includes("/api/")) sizes.push(response.request().sizes());
  });
  await logIn(page, broker);
  await sees(page, "Messages a second");
  const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size.responseBodySize, 0);
  assert.ok(bytes > 20_000 && bytes < 200_000, `${bytes} bytes`);
  assert.deepEqual(page.faults, []);
});
