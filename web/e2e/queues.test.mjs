import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import amqp from "amqplib";
import { eventually } from "./broker.mjs";
import { sees, visit } from "./browser.mjs";
import { clearStage, setStage } from "./stage.mjs";

let broker, connection, channel, page;
before(async () => ({ broker, connection, channel, page } = await setStage()));
after(() => clearStage({ broker, connection }));

const publish = async (queue, ...bodies) => {
  for (const body of bodies) channel.sendToQueue(queue, Buffer.from(body), { persistent: true, headers: { tenant: "south" } });
  await channel.waitForConfirms();
};
const ready = async (queue) => (await broker.api("GET", `/queues/%2F/${queue}`)).messages_ready;
const dialog = () => page.getByRole("dialog");

test("an empty broker shows how to begin, in five languages, to be copied", async () => {
  await connection.close();
  const url = `amqp://guest:guest@127.0.0.1:${broker.amqpPort}/`;
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: broker.url });
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  await page.getByText("Programs connect to").getByRole("button", { name: "Copy address" }).click();
  await eventually("the address is copied", async () => (await copied()) === url);
  const languages = page.getByRole("tablist", { name: "Language" });
  const clients = { Python: "pika", JavaScript: "amqplib", Java: "amqp-client", Go: "amqp091-go", "C#": "RabbitMQ.Client" };
  assert.deepEqual(await languages.getByRole("tab").allInnerTexts(), Object.keys(clients));
  for (const [language, client] of Object.entries(clients)) {
    await languages.getByRole("tab", { name: language, exact: true }).click();
    const code = await page.getByRole("region", { name: `Program in ${language}`, exact: true }).innerText();
    assert.ok(code.includes(`"${url}"`) && code.includes(client), code);
    await page.locator(".snippet").getByRole("button", { name: /^(Copy|Copied)$/ }).click();
    await eventually(`the program in ${language} is copied`, async () => (await copied()).trim() === code.trim());
  }
  // From one to the next with the keyboard alone, and round.
  await languages.getByRole("tab", { name: "C#" }).press("ArrowRight");
  await page.getByRole("region", { name: "Program in Python" }).waitFor();
  connection = await amqp.connect(broker.amqp);
  channel = await connection.createConfirmChannel();
});

test("a queue is made, and the broker's refusal of another one told in the form", async () => {
  await visit(page, "#/queues");
  await page.getByRole("button", { name: "New queue" }).click();
  await dialog().getByLabel("Name", { exact: true }).fill("made");
  await dialog().getByText("Arguments", { exact: true }).click();
  await dialog().getByLabel("At most so many messages").fill("10");
  await dialog().getByRole("button", { name: "Make queue" }).click();
  await page.getByRole("link", { name: "made" }).waitFor();
  const made = await broker.api("GET", "/queues/%2F/made");
  assert.equal(made.arguments["x-max-length"], 10);
  await page.getByRole("button", { name: "New queue" }).click();
  await dialog().getByLabel("Name", { exact: true }).fill("made");
  await dialog().getByRole("button", { name: "Make queue" }).click();
  await dialog().getByRole("alert").waitFor();
  assert.match(await dialog().getByRole("alert").innerText(), /inequivalent arg 'x-max-length'/);
  await page.keyboard.press("Escape");
  await dialog().waitFor({ state: "detached" });
});

test("numbers move while one looks", async () => {
  await channel.assertQueue("moving");
  await visit(page, "#/queues/%2F/moving");
  await page.getByRole("heading", { name: "moving" }).waitFor();
  await publish("moving", "1", "2", "3");
  await eventually("the page counts 3", async () => (await page.getByRole("region", { name: "Numbers" }).innerText()).includes("Ready\n3"));
});

test("messages are looked at without being touched, searched, opened and deleted", async () => {
  await channel.assertQueue("looked");
  await publish("looked", '{"order": 1, "deep": {"sku": "tea"}}', "plain text", "\u0000\u0001binary");
  await visit(page, "#/queues/%2F/looked?tab=messages");
  await page.getByRole("button", { name: "plain text" }).waitFor();
  await page.getByLabel("Search in bodies and headers").fill("SKU");
  await sees(page, "1 message has this text, 3 of 3 searched");
  await page.getByRole("button", { name: /order/ }).click();
  await dialog().getByRole("button", { name: "tree" }).waitFor();
  await dialog().getByText('sku: "tea"').waitFor();
  await dialog().getByRole("button", { name: "hex" }).click();
  await dialog().getByText("7b 22 6f 72").waitFor();
  await dialog().getByRole("tab", { name: /Headers/ }).click();
  await sees(page, /tenant\s+south/);
  await page.keyboard.press("Escape");
  const [message] = await broker.api("POST", "/queues/%2F/looked/get", { count: 1, ackmode: "ack_requeue_true", encoding: "auto" });
  assert.equal(message.redelivered, false, "looking must not mark anything");
});

test("a queue is searched to its end, in steps that can be stopped", async () => {
  await channel.assertQueue("searched");
  for (let at = 0; at < 1200; at += 1) channel.sendToQueue("searched", Buffer.from(at === 1100 ? "the needle" : `hay ${at}`));
  await channel.waitForConfirms();
  let release;
  const held = new Promise((done) => (release = done));
  await page.route(/peek\?.*offset=500/, async (route) => (await held, await route.continue()));
  await visit(page, "#/queues/%2F/searched?tab=messages");
  await page.getByLabel("Search in bodies and headers").fill("needle");
  await sees(page, "0 messages have this text, 500 of 1,200 searched");
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("button", { name: "Go on" }).waitFor();
  release();
  await page.unroute(/peek\?.*offset=500/, { behavior: "wait" });
  await page.getByRole("button", { name: "Go on" }).click();
  await sees(page, "1 message has this text, 1,200 of 1,200 searched");
  await page.getByLabel("Select message 1,100").check();
  await page.getByRole("group", { name: /selected messages/ }).getByRole("button", { name: "Delete" }).click();
  await dialog().getByRole("button", { name: "Delete" }).click();
  await sees(page, "1 message deleted.");
  await sees(page, "0 messages have this text, 1,199 of 1,199 searched");
  assert.equal(await ready("searched"), 1199);
});

test("a message is published from the page, got as RabbitMQ gets it, and taken out", async () => {
  await channel.assertQueue("got");
  await visit(page, "#/queues/%2F/got?tab=messages");
  await page.getByRole("button", { name: "Publish" }).click();
  await dialog().getByLabel(/^Body/).fill("from the page");
  await dialog().getByLabel("Headers, as a JSON object").fill("{not json");
  await dialog().getByRole("button", { name: "Publish" }).click();
  await dialog().getByRole("alert").waitFor();
  await dialog().getByLabel("Headers, as a JSON object").fill('{"a": 1}');
  await dialog().getByRole("button", { name: "Publish" }).click();
  await sees(page, "a queue took the message");
  await page.getByText("Get messages as RabbitMQ does").click();
  await page.getByLabel("Then").selectOption("ack_requeue_false");
  await page.getByRole("button", { name: "Take messages out" }).click();
  await sees(page, "Message 1");
  assert.equal(await ready("got"), 0);
});

test("a purge says how much goes, and wants the name", async () => {
  await channel.assertQueue("purged");
  await publish("purged", "1", "2");
  await visit(page, "#/queues/%2F/purged");
  // So old that the broker says it: exact to 5 seconds.
  await eventually("the oldest has an age", async () => /Oldest ready\n\d/.test(await page.getByRole("region", { name: "Numbers" }).innerText()));
  await eventually("2 are ready", async () => (await page.getByRole("region", { name: "Numbers" }).innerText()).includes("Ready\n2"));
  await page.getByRole("button", { name: "Purge" }).click();
  await dialog().getByText("2 ready messages will be gone for good.").waitFor();
  const act = dialog().getByRole("button", { name: "Purge" });
  assert.equal(await act.isDisabled(), true);
  await dialog().getByLabel(/Type purged/).fill("purge");
  assert.equal(await act.isDisabled(), true);
  await dialog().getByLabel(/Type purged/).fill("purged");
  await act.click();
  await sees(page, "The queue is purged.");
  assert.equal(await ready("purged"), 0);
});

test("several queues are purged and deleted at once", async () => {
  for (const name of ["many.1", "many.2", "other"]) await channel.assertQueue(name);
  await publish("many.1", "1");
  await visit(page, "#/queues?name=%5Emany&use_regex=true");
  await page.getByRole("link", { name: "many.2" }).waitFor();
  await page.getByRole("link", { name: "other" }).waitFor({ state: "detached" });
  await page.getByLabel("Select all of this page").check();
  await page.getByRole("button", { name: "Delete" }).click();
  await dialog().getByText("With them go 1 message and all their bindings, for good.").waitFor();
  await dialog().getByLabel(/Type 2 queues/).fill("2 queues");
  await dialog().getByRole("button", { name: "Delete" }).click();
  await sees(page, "2 queues deleted.");
  await sees(page, "Nothing matches '^many'.");
  const left = await broker.api("GET", "/queues?columns=name");
  assert.ok(left.some((queue) => queue.name === "other"));
});

test("several queues are paused and resumed at once", async () => {
  for (const name of ["calm.1", "calm.2"]) await channel.assertQueue(name);
  await visit(page, "#/queues?name=calm");
  await page.getByRole("link", { name: "calm.2" }).waitFor();
  for (const [act, done, state] of [["Pause", "2 queues paused.", "paused"], ["Resume", "2 queues resumed.", "running"]]) {
    await page.getByLabel("Select all of this page").check();
    await page.getByRole("button", { name: act }).click();
    await dialog().getByRole("button", { name: act }).click();
    await sees(page, done);
    for (const name of ["calm.1", "calm.2"]) assert.equal((await broker.api("GET", `/queues/%2F/${name}`)).state, state);
  }
});

test("columns are chosen, and stay chosen", async () => {
  await channel.assertQueue("wide");
  await visit(page, "#/queues");
  await page.getByText("Columns", { exact: true }).first().click();
  await page.getByRole("group", { name: "Columns" }).getByLabel("Total, messages").check();
  await page.keyboard.press("Escape");
  await page.getByRole("columnheader", { name: "Total" }).waitFor();
  await page.reload();
  await page.getByRole("columnheader", { name: "Total" }).waitFor();
  await page.getByRole("button", { name: "Oldest" }).click();
  await page.getByRole("columnheader", { name: "Oldest", exact: false }).and(page.locator("[aria-sort=descending]")).waitFor();
});

test("a picture is shown as one, and who holds a message is told", async () => {
  await channel.assertQueue("held");
  const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  channel.sendToQueue("held", Buffer.from(png, "base64"));
  await channel.waitForConfirms();
  await visit(page, "#/queues/%2F/held?tab=messages");
  await page.getByRole("table").getByRole("button").first().click();
  await eventually("the picture is drawn", () => dialog().getByAltText("The body of the message").evaluate((image) => image.complete && image.naturalWidth === 1));
  await page.keyboard.press("Escape");
  const { consumerTag } = await channel.consume("held", () => {}, { consumerTag: "holder" });
  // Where nothing is ready, it is said where the messages are.
  await page.getByText("No messages are ready: consumers hold").getByRole("link", { name: "1 message" }).click();
  await page.getByRole("button", { name: "Unacked", pressed: true }).waitFor();
  await page.getByRole("cell", { name: /^holder on / }).waitFor();
  await channel.cancel(consumerTag);
});

test("a chart gives the exact values of the moment that one points at", async () => {
  await visit(page, "#/queues/%2F/held");
  const chart = page.getByRole("figure", { name: "Messages", exact: true });
  const legend = chart.locator(".u-legend");
  const DAY = 24 * 60 * 60;
  const told = async () => {
    const [, hours, minutes, seconds] = /(\d\d):(\d\d):(\d\d)/.exec(await legend.innerText()) ?? [];
    return hours && (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  };
  const last = Number(await eventually("the last values are told", told));
  await eventually("another moment is told", async () => {
    await chart.locator(".u-over").hover({ position: { x: 2, y: 40 } });
    // Midnight may lie between the two.
    const earlier = (last - Number(await told()) + DAY) % DAY;
    return earlier > 0 && earlier < DAY / 2;
  });
});

test("a binding is made and removed", async () => {
  await channel.assertExchange("shop", "topic");
  await channel.assertQueue("bound");
  await visit(page, "#/queues/%2F/bound?tab=bindings");
  await page.getByText("Add a binding to this queue").click();
  await page.getByLabel("From exchange").fill("shop");
  await page.getByLabel("Routing key").fill("order.*");
  await page.getByRole("button", { name: "Bind", exact: true }).click();
  await page.getByRole("cell", { name: "order.*" }).waitFor();
  await page.getByRole("button", { name: "Remove" }).click();
  await dialog().getByRole("button", { name: "Remove binding" }).click();
  await sees(page, "The binding is removed.");
  assert.equal((await broker.api("GET", "/queues/%2F/bound/bindings")).length, 1);
});

test("a queue that is deleted while one looks is told as gone", async () => {
  await channel.assertQueue("vanishing");
  await visit(page, "#/queues/%2F/vanishing");
  await page.getByRole("heading", { name: "vanishing" }).waitFor();
  await page.getByRole("button", { name: "Purge" }).waitFor();
  await channel.deleteQueue("vanishing");
  await sees(page, "There is no such queue");
  assert.deepEqual(page.faults, []);
});
