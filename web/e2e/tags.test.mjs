// Every page for every tag: it is shown, or says what is missing; and it asks the broker for nothing that would be refused.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import amqp from "amqplib";
import { Broker } from "./broker.mjs";
import { closeBrowser, logIn, openPage, sees, visit } from "./browser.mjs";

const NEEDED = { "#/users": "administrator", "#/users/guest": "administrator", "#/vhosts/%2F": "administrator", "#/definitions": "administrator", "#/nodes/rabbit%40localhost": "monitoring", "#/alerts": "monitoring", "#/live": "monitoring", "#/parameters": "policymaker" };
const ALLOWED = { management: [], policymaker: ["policymaker"], monitoring: ["monitoring"], administrator: ["policymaker", "monitoring", "administrator"] };
/** What is offered only to some, and where: the rest is told what it needs. */
const ACTS = [
  ["#/", "Export or import definitions", "administrator", "link"],
  ["#/limits", "Set a limit", "administrator", "text"],
  ["#/policies/%2F/limit", "Change", "policymaker"],
  ["#/queues/%2F/orders", "Pause", "policymaker"],
  ["#/policies", "New policy", "policymaker"],
  ["#/vhosts", "New virtual host", "administrator"],
];

let broker, connection;
before(async () => {
  broker = await Broker.start();
  connection = await amqp.connect(broker.amqp);
  const channel = await connection.createChannel();
  await channel.assertQueue("orders");
  await channel.assertExchange("shop", "topic");
  await channel.bindQueue("orders", "shop", "#");
  channel.sendToQueue("orders", Buffer.from("one"));
  await broker.api("PUT", "/policies/%2F/limit", { pattern: "^orders", definition: { "max-length": 1000 }, priority: 0, "apply-to": "queues" });
  for (const tag of Object.keys(ALLOWED)) {
    await broker.api("PUT", `/users/a-${tag}`, { password: "secret", tags: tag });
    await broker.api("PUT", `/permissions/%2F/a-${tag}`, { configure: ".*", write: ".*", read: ".*" });
  }
});
after(async () => {
  await connection.close();
  await closeBrowser();
  await broker.end();
});

const PAGES = [
  ["#/", "Messages a second"],
  ["#/nodes/rabbit%40localhost", "Resources"],
  ["#/queues", "orders"],
  ["#/queues/%2F/orders", "Oldest ready"],
  ["#/queues/%2F/orders?tab=messages", "Looking changes nothing"],
  ["#/queues/%2F/orders?tab=bindings", "shop"],
  ["#/queues/%2F/orders?tab=consumers", "Nobody consumes"],
  ["#/queues/%2F/orders?tab=arguments", "max-length"],
  ["#/exchanges", "shop"],
  ["#/exchanges/%2F/shop", "orders"],
  ["#/topology", "orders"],
  ["#/connections", "Connections"],
  ["#/channels", "Channels"],
  ["#/consumers", "Consumers"],
  ["#/errors", "Errors"],
  ["#/alerts", "Rules"],
  ["#/live", "Live"],
  ["#/where", "Where would this go?"],
  ["#/delayed", "Delayed"],
  ["#/users", "Tags"],
  ["#/users/guest", "May configure"],
  ["#/vhosts", "Virtual hosts"],
  ["#/vhosts/%2F", "May write to"],
  ["#/policies", "limit"],
  ["#/policies/%2F/limit", /Matches 1 name now|Names that match now: 1/],
  ["#/limits", "Of virtual hosts"],
  ["#/parameters", "Of the whole broker"],
  ["#/feature-flags", "Deprecated features"],
  ["#/definitions", "Save definitions"],
];

for (const [tag, allowed] of Object.entries(ALLOWED)) {
  test(`every page for a user with the tag ${tag}`, async () => {
    const page = await openPage(broker);
    const refused = [];
    page.on("response", (response) => {
      if (response.url().includes("/api/") && response.status() >= 400) refused.push(`${response.status()} ${response.url()}`);
    });
    await logIn(page, broker, "#/", `a-${tag}`, "secret");
    for (const [hash, text] of PAGES) {
      await visit(page, hash);
      const needs = NEEDED[hash];
      await sees(page, needs && !allowed.includes(needs) ? `This page needs the tag ${needs}.` : text);
    }
    for (const [hash, act, needs, kind = "button"] of ACTS) {
      await visit(page, hash);
      const offered = kind === "text" ? page.getByText(act, { exact: true }) : page.getByRole(kind, { name: act, exact: true });
      if (allowed.includes(needs)) {
        await offered.first().waitFor();
      } else {
        await page.locator("main").getByText("What is missing here?").first().click();
        await page.locator("main").getByText(new RegExp(`tag ${needs}`)).first().waitFor();
        assert.equal(await offered.count(), 0, `${act} is not offered to ${tag}`);
      }
    }
    assert.deepEqual(refused, []);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}
