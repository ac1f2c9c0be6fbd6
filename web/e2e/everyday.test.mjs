// What one does every day: looking when one wants, alerts that come and go, limits, what is deprecated.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "./broker.mjs";
import { logIn, openPage, sees, visit } from "./browser.mjs";
import { clearStage, setStage } from "./stage.mjs";

let broker, connection, channel, page;
before(async () => ({ broker, connection, channel, page } = await setStage({ name: "everyday" })));
after(() => clearStage({ broker, connection }));

test("one looks as often as one wants: every second, every five, never, and now", async () => {
  const other = await openPage(broker);
  await other.clock.install();
  await logIn(other, broker, "#/queues");
  await sees(other, "There is no queue yet.");
  const asked = [];
  other.on("request", (request) => request.url().includes("/api/queues?") && asked.push(request.url()));
  // From here on no time passes but what the test lets pass.
  await other.clock.pauseAt(Date.now() + 3_600_000);
  const settled = async () => {
    await other.clock.runFor(300);
    // Behind every answer that is on its way.
    await other.evaluate(() => fetch("/api/auth").then((response) => response.text()));
    asked.length = 0;
  };
  for (const seconds of [1, 5]) {
    await other.getByLabel("Refresh").selectOption(String(seconds));
    await settled();
    await other.clock.runFor(seconds * 1000 - 400);
    assert.deepEqual(asked, [], `not before ${seconds} s are over`);
    const next = other.waitForRequest((request) => request.url().includes("/api/queues?"));
    await other.clock.runFor(500);
    await next;
  }
  await other.getByLabel("Refresh").selectOption("Never");
  await settled();
  await channel.assertQueue("asked-for");
  await other.clock.runFor(600_000);
  assert.deepEqual(asked, []);
  await other.getByRole("button", { name: "Ask the broker now" }).click();
  await eventually("the new queue is there", async () => (await other.clock.runFor(100), (await other.getByRole("link", { name: "asked-for" }).count()) > 0));
  assert.deepEqual(other.faults, []);
  await other.context().close();
});

test("an alert is raised, told with its numbers and its place, and is history when it is over", async () => {
  await channel.assertQueue("deep");
  await visit(page, "#/alerts");
  await sees(page, "Nothing is over yet.");
  for (let at = 0; at < 10_001; at += 1) channel.sendToQueue("deep", Buffer.from("x"));
  await channel.waitForConfirms();
  const active = page.getByRole("listitem").filter({ hasText: /Queue 'deep'.*10,?001/ });
  await active.getByText("depth").waitFor();
  assert.equal(await active.getByRole("link", { name: "queue 'deep'" }).getAttribute("href"), "#/queues/%2F/deep");
  // How long ago, and the local time on demand.
  const noticed = active.locator("time");
  await eventually("how long ago", async () => /^(now|\d+ s ago|\d+ min ago)$/.test(await noticed.innerText()));
  const told = await noticed.evaluate((time) => ({ title: time.title, local: new Date(time.dateTime).toTimeString().slice(0, 8) }));
  assert.ok(told.title.endsWith(told.local), JSON.stringify(told));
  await channel.purgeQueue("deep");
  const over = page.getByRole("region", { name: "Alerts that are over" }).getByRole("row").filter({ hasText: "Queue 'deep'" });
  await over.waitFor();
  // Both at once, where there is room.
  assert.match(await over.innerText(), /\d\d:\d\d:\d\d \((now|\d+ (s|min) ago)\)/);
  await active.waitFor({ state: "detached" });
  assert.deepEqual(page.faults, []);
});

test("limits of virtual hosts and users are set, hold, and are taken away", async () => {
  await broker.api("PUT", "/users/anna", { password: "secret", tags: "" });
  await visit(page, "#/limits");
  for (const [title, who, limit, path] of [
    ["Of virtual hosts", "/", "max-queues", "/vhost-limits/%2F"],
    ["Of users", "anna", "max-channels", "/user-limits/anna"],
  ]) {
    const section = page.locator("section").filter({ has: page.getByRole("heading", { name: title }) });
    await section.getByText("Set a limit").click();
    await section.getByLabel(title === "Of users" ? "User" : "Virtual host").fill("nowhere");
    await section.getByLabel("Limit", { exact: true }).selectOption(limit);
    await section.getByLabel("Value").fill("7");
    await section.getByRole("button", { name: "Set limit" }).click();
    await section.getByRole("alert").waitFor();
    await section.getByLabel(title === "Of users" ? "User" : "Virtual host").fill(who);
    await section.getByRole("button", { name: "Set limit" }).click();
    const row = section.getByRole("row").filter({ has: page.getByRole("link", { name: who, exact: true }) });
    await row.getByRole("cell", { name: "7", exact: true }).waitFor();
    const [{ value }] = await broker.api("GET", path);
    assert.equal(value[limit], 7);
    await row.getByRole("button", { name: "Take away" }).click();
    await row.waitFor({ state: "detached" });
    assert.deepEqual((await broker.api("GET", path)).flatMap((one) => Object.keys(one.value)), []);
  }
  assert.deepEqual(page.faults, []);
});

test("what a later RabbitMQ refuses is told while it is used", async () => {
  await visit(page, "#/feature-flags");
  await sees(page, "Nothing that is deprecated is used.");
  const flags = page.getByRole("region", { name: "Feature flags" });
  await flags.getByRole("row").filter({ hasText: "enabled" }).first().waitFor();
  await channel.assertQueue("transient", { durable: false });
  const used = page.getByRole("region", { name: "Deprecated features in use" });
  await used.getByRole("row").filter({ hasText: "transient_nonexcl_queues" }).getByText("Queues that are neither durable nor exclusive.").waitFor();
  await channel.deleteQueue("transient");
  assert.deepEqual(page.faults, []);
});
