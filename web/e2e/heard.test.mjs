// Pages as a screen reader hears them: what can be used has a name, what changes is announced, headings lead through.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Broker, eventually } from "./broker.mjs";
import { closeBrowser, logIn, openPage, sees, visit } from "./browser.mjs";

let broker, page;
before(async () => {
  broker = await Broker.start();
  await broker.queue("orders");
  await broker.api("POST", "/exchanges/%2F/amq.default/publish", { routing_key: "orders", payload: "one", payload_encoding: "string", properties: {} });
  page = await openPage(broker);
});
after(async () => {
  await closeBrowser();
  await broker.end();
});

const USED = "button|link|textbox|searchbox|combobox|checkbox|radio|spinbutton|tab|option|switch|slider";

/** What is heard, and what is wrong with it. */
async function heard() {
  const lines = (await page.locator("body").ariaSnapshot()).split("\n").map((line) => line.trim());
  const unnamed = lines.filter((line) => new RegExp(`^- (${USED}|region|figure|table|img|meter|dialog|tablist|navigation)(:|$)`).test(line));
  const levels = lines.flatMap((line) => /^- heading ".*\[level=(\d)\]/.exec(line)?.slice(1).map(Number) ?? []);
  return { text: lines.join("\n"), unnamed, levels };
}

/** What can be used is named, and headings are in order: one of the first level, first, and none of a level left out. */
async function isInOrder(where) {
  const { unnamed, levels, text } = await heard();
  assert.deepEqual(unnamed, [], where);
  assert.equal(levels[0], 1, `${where}: ${levels}`);
  assert.equal(levels.filter((level) => level === 1).length, 1, `${where}: ${levels}`);
  for (const [at, level] of levels.entries()) assert.ok(at === 0 || level <= levels[at - 1] + 1, `${where}: ${levels}`);
  return text;
}

test("the login: fields and the button have names, and why one is not let in is said at once", async () => {
  await page.goto(broker.url);
  await page.getByRole("button", { name: "Log in" }).waitFor();
  await isInOrder("login");
  await page.getByLabel("Name").fill("guest");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").getByText("does not know this name").waitFor();
  await isInOrder("a refused login");
});

test("overview, queues and a queue: all is named, and one hears where one is and what has changed", async () => {
  await logIn(page, broker);
  await sees(page, "Messages a second");
  const overview = await isInOrder("overview");
  assert.match(overview, /- status: /, "whether anything is wrong");
  assert.match(overview, /- navigation "Pages":/);
  assert.match(overview, /- list "Programs":/);
  await page.getByRole("link", { name: "Queues", exact: true }).first().click();
  await page.getByRole("link", { name: "orders" }).waitFor();
  assert.match(await isInOrder("queues"), /- status: 1 queue/);
  // Who follows a link hears the new page's title.
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Queues");
  assert.match(await page.title(), /Queues/);
  await page.getByLabel("Filter by name").fill("nothing");
  await page.getByRole("status").getByText("0 of 1 queue").waitFor();
  await page.getByLabel("Filter by name").fill("");
  for (const tab of [undefined, "messages", "bindings", "consumers", "arguments"]) {
    await visit(page, `#/queues/%2F/orders${tab ? `?tab=${tab}` : ""}`);
    await page.getByRole("heading", { level: 1, name: "orders" }).waitFor();
    await eventually("nothing is waited for", async () => !(await heard()).text.includes("Asking the broker"));
    await isInOrder(`queue, ${tab}`);
  }
  await page.getByRole("button", { name: "Purge" }).click();
  const dialog = page.getByRole("dialog", { name: /Purge/ });
  await dialog.waitFor();
  await dialog.getByLabel(/Type orders/).fill("orders");
  await dialog.getByRole("button", { name: "Purge" }).click();
  await page.getByRole("status").getByText("The queue is purged.").waitFor();
  assert.deepEqual(page.faults, []);
});
