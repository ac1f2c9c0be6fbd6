// Every field of the forms, and every filter and button that no other test uses: what it says is what the broker is told.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "./broker.mjs";
import { sees, visit } from "./browser.mjs";
import { clearStage, setStage } from "./stage.mjs";

let broker, connection, channel, page;
before(async () => ({ broker, connection, channel, page } = await setStage({ name: "tester" })));
after(() => clearStage({ broker, connection }));

const dialog = () => page.getByRole("dialog");
/** One of the boxes into which a page is divided. */
const section = (title) => page.locator("section").filter({ has: page.getByRole("heading", { name: title, exact: true }) });

test("a queue is made with all that the form has", async () => {
  await visit(page, "#/queues");
  await page.getByRole("button", { name: "New queue" }).click();
  await dialog().getByLabel("Name", { exact: true }).fill("full");
  await dialog().getByLabel("Type").selectOption("quorum");
  await dialog().getByText("Arguments", { exact: true }).click();
  await dialog().getByLabel("Dead letters to exchange").fill("dead");
  await dialog().getByLabel("Dead letters with routing key").fill("gone");
  await dialog().getByLabel("Messages live, ms").fill("60000");
  await dialog().getByLabel("Delivery limit").fill("7");
  await dialog().getByLabel("Others, as a JSON object").fill('{"x-single-active-consumer": true}');
  await dialog().getByRole("button", { name: "Make queue" }).click();
  await page.getByRole("link", { name: "full" }).waitFor();
  assert.deepEqual((await broker.api("GET", "/queues/%2F/full")).arguments, {
    "x-queue-type": "quorum",
    "x-dead-letter-exchange": "dead",
    "x-dead-letter-routing-key": "gone",
    "x-message-ttl": 60000,
    "x-delivery-limit": 7,
    "x-single-active-consumer": true,
  });
  await page.getByRole("button", { name: "New queue" }).click();
  await dialog().getByLabel("Name", { exact: true }).fill("passing");
  await dialog().getByLabel("Deleted with its last consumer").check();
  await dialog().getByRole("button", { name: "Make queue" }).click();
  await page.getByRole("link", { name: "passing" }).waitFor();
  assert.equal((await broker.api("GET", "/queues/%2F/passing")).auto_delete, true);
});

test("exchanges are made with all that the form has, and bound to each other and to queues", async () => {
  const make = async (name, fill) => {
    await visit(page, "#/exchanges");
    await page.getByRole("button", { name: "New exchange" }).click();
    await dialog().getByLabel("Name", { exact: true }).fill(name);
    await fill();
    await dialog().getByRole("button", { name: "Make exchange" }).click();
    await page.getByRole("link", { name, exact: true }).waitFor();
    return broker.api("GET", `/exchanges/%2F/${name}`);
  };
  const inner = await make("inner", async () => {
    await dialog().getByLabel("Type", { exact: true }).selectOption("fanout");
    await dialog().getByLabel("Internal").check();
    await dialog().getByLabel("Durable").uncheck();
  });
  assert.deepEqual([inner.internal, inner.durable, inner.type], [true, false, "fanout"]);
  const outer = await make("outer", async () => {
    await dialog().getByLabel("Type", { exact: true }).selectOption("x-delayed-message");
    await dialog().getByLabel("Routes, when the delay is over, as").selectOption("topic");
    await dialog().getByLabel("Deleted with its last binding").check();
    await dialog().getByLabel("What reaches no queue goes to exchange").fill("inner");
    await dialog().getByLabel("Other arguments, as a JSON object").fill('{"note": "x"}');
  });
  assert.equal(outer.auto_delete, true);
  assert.deepEqual(outer.arguments, { "alternate-exchange": "inner", "x-delayed-type": "topic", note: "x" });
  await channel.assertQueue("bound");
  await visit(page, "#/exchanges/%2F/outer");
  for (const [summary, label, name, kind] of [
    ["Bind a queue to this exchange", "To queue", "bound", "queue"],
    ["Bind an exchange to this one", "To exchange", "inner", "exchange"],
  ]) {
    const box = page.locator("details").filter({ hasText: summary });
    await box.getByText(summary).click();
    await box.getByLabel(label).fill(name);
    await box.getByLabel("Routing key").fill(`to.${kind}`);
    await box.getByRole("button", { name: "Bind", exact: true }).click();
    const row = page.getByRole("row").filter({ hasText: `to.${kind}` });
    await row.getByRole("link", { name }).waitFor();
    const found = await broker.api("GET", "/exchanges/%2F/outer/bindings/source");
    assert.ok(found.some((one) => one.destination === name && one.destination_type === kind && one.routing_key === `to.${kind}`));
  }
});

test("a message is published with all that the form has", async () => {
  await channel.assertQueue("told");
  await visit(page, "#/queues/%2F/told");
  await page.getByRole("button", { name: "Publish" }).click();
  await dialog().getByLabel(/^Body/).fill("aGVsbG8=");
  await dialog().getByLabel("The body above is").selectOption("base64");
  await dialog().getByLabel("Delivery mode").selectOption("1");
  await dialog().getByLabel("Content type").fill("text/plain");
  await dialog().getByText("Other properties").click();
  await dialog().getByLabel("As a JSON object", { exact: true }).fill('{"priority": 3, "correlation_id": "c-1"}');
  await dialog().getByRole("button", { name: "Publish" }).click();
  await sees(page, "a queue took the message");
  const { content, properties } = await channel.get("told", { noAck: true });
  assert.equal(content.toString(), "hello");
  const { deliveryMode, contentType, priority, correlationId } = properties;
  assert.deepEqual([deliveryMode, contentType, priority, correlationId], [1, "text/plain", 3, "c-1"]);
});

test("the pages of a queue's messages are turned, and those held back and dead are shown apart", async () => {
  await channel.assertQueue("long");
  for (let at = 0; at < 120; at += 1) channel.sendToQueue("long", Buffer.from(`number ${at}`));
  await channel.waitForConfirms();
  await visit(page, "#/queues/%2F/long?tab=messages");
  const shown = (at) => page.getByRole("button", { name: `number ${at}`, exact: true });
  await shown(0).waitFor();
  await page.getByRole("button", { name: "Towards the end" }).click();
  await shown(50).waitFor();
  await shown(0).waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Towards the head" }).click();
  await shown(0).waitFor();
  for (const name of ["Held back", "Dead, not taken yet"]) {
    await page.getByRole("button", { name }).click();
    await sees(page, "No messages are in this state.");
  }
});

test("what each user may write and read, and with which keys, is given and taken away", async () => {
  await broker.api("PUT", "/users/anna", { password: "secret", tags: "" });
  await visit(page, "#/users/anna");
  await page.getByText("Give or change permissions").click();
  await page.getByLabel("May configure names like").fill("");
  await page.getByLabel("May write to names like").fill("^w");
  await page.getByLabel("May read from names like").fill("^r");
  await page.getByRole("button", { name: "Give" }).click();
  await page.getByRole("cell", { name: "^r" }).waitFor();
  const { configure, write, read } = await broker.api("GET", "/permissions/%2F/anna");
  assert.deepEqual([configure, write, read], ["", "^w", "^r"]);
  await page.getByText("Limit routing keys", { exact: true }).click();
  await page.getByLabel("May write keys like").fill("^order");
  await page.getByLabel("May read keys like").fill("^mail");
  await page.getByRole("button", { name: "Limit", exact: true }).click();
  await page.getByRole("cell", { name: "^mail" }).waitFor();
  const [topic] = await broker.api("GET", "/topic-permissions/%2F/anna");
  assert.deepEqual([topic.exchange, topic.write, topic.read], ["amq.topic", "^order", "^mail"]);
  for (const [title, said, path] of [
    ["Topic permissions", "The topic permissions are taken away.", "/users/anna/topic-permissions"],
    ["Permissions", "The permissions are taken away.", "/users/anna/permissions"],
  ]) {
    await section(title).getByRole("button", { name: "Take away" }).click();
    await dialog().getByRole("button", { name: "Take away" }).click();
    await sees(page, said);
    assert.deepEqual(await broker.api("GET", path), []);
  }
});

test("a virtual host says of which type its queues are, and what it is for", async () => {
  await visit(page, "#/vhosts");
  await page.getByRole("button", { name: "New virtual host" }).click();
  await dialog().getByLabel("Name", { exact: true }).fill("safe");
  await dialog().getByLabel("Tags").fill("production, audited");
  await dialog().getByLabel("Queues that do not say their type are").selectOption("quorum");
  await dialog().getByRole("button", { name: "Make virtual host" }).click();
  await page.getByRole("link", { name: "safe" }).waitFor();
  const made = await broker.api("GET", "/vhosts/safe");
  assert.deepEqual([made.default_queue_type, made.tags], ["quorum", ["production", "audited"]]);
});

test("errors, connections and what passes are filtered", async () => {
  const failing = await connection.createChannel();
  failing.on("error", () => {});
  await assert.rejects(failing.bindQueue("told", "nowhere", ""));
  const other = await connection.createChannel();
  other.on("error", () => {});
  await assert.rejects(other.checkQueue("missing"));
  await visit(page, "#/errors");
  await page.getByLabel("Filter errors").fill("nowhere");
  await sees(page, "1 of those shown matches");
  assert.equal(await page.locator(".error-list > li").count(), 1);
  await page.getByLabel("Filter errors").fill("nothing of the kind");
  await sees(page, "None matches.");

  await visit(page, "#/connections");
  await page.getByLabel("Filter by name or address").fill("nobody");
  await sees(page, "0 of 1 connection");
  await page.getByLabel("Filter by name or address").fill("test");
  await page.getByRole("link", { name: "tester" }).waitFor();
  for (const name of ["From client /s", "To client /s", "Since"]) {
    await page.getByRole("button", { name }).click();
    await page.getByRole("columnheader", { name }).and(page.locator("[aria-sort]:not([aria-sort=none])")).waitFor();
  }

  await visit(page, "#/live");
  await page.getByLabel("Reaches queue").fill("told");
  await eventually("what reaches the queue passes", async () => {
    channel.sendToQueue("long", Buffer.from("elsewhere"));
    channel.sendToQueue("told", Buffer.from("here"));
    await channel.waitForConfirms();
    return (await page.getByRole("button", { name: "here", exact: true }).count()) > 0;
  });
  await page.getByRole("button", { name: "Clear" }).click();
  await eventually("it passes still", async () => {
    channel.sendToQueue("long", Buffer.from("elsewhere"));
    channel.sendToQueue("told", Buffer.from("here"));
    await channel.waitForConfirms();
    return (await page.getByRole("button", { name: "here", exact: true }).count()) > 0;
  });
  assert.equal(await page.getByRole("button", { name: "elsewhere" }).count(), 0);
});

test("lists are sorted by each column that offers it, and extra columns come and go", async () => {
  for (const hash of ["#/queues", "#/exchanges", "#/connections", "#/channels"]) {
    await visit(page, hash);
    await page.locator("tbody tr").first().waitFor();
    await page.getByText("Columns", { exact: true }).first().click();
    const choice = page.getByRole("group", { name: "Columns" });
    for (const box of await choice.getByRole("checkbox").all()) if (await box.isEnabled()) await box.check();
    await page.keyboard.press("Escape");
    const sorts = await page.locator("thead button").allInnerTexts();
    assert.ok(sorts.length > 3, hash);
    for (const at of sorts.keys()) {
      await page.locator("thead button").nth(at).click();
      await page.locator("thead th:has(button)").nth(at).and(page.locator("[aria-sort]:not([aria-sort=none])")).waitFor();
    }
    // What the broker cannot sort by, it would refuse in words.
    await page.locator("tbody tr").first().waitFor();
    assert.equal(await page.locator("main [role=alert]").count(), 0, hash);
  }
});

test("the drawing of the topology is made larger and smaller", async () => {
  await visit(page, "#/topology");
  const drawing = page.locator(".graph-room svg").first();
  const width = async () => (await drawing.boundingBox()).width;
  await drawing.waitFor();
  const first = await width();
  await page.getByRole("button", { name: "Larger" }).click();
  await eventually("it is larger", async () => (await width()) > first * 1.2);
  const larger = await width();
  await page.getByRole("button", { name: "Smaller" }).click();
  await eventually("it is smaller", async () => (await width()) < larger / 1.2);
  assert.deepEqual(page.faults, []);
});
