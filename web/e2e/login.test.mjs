import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Broker } from "./broker.mjs";
import { closeBrowser, logIn, openPage, sees, visit } from "./browser.mjs";

let broker;
before(async () => {
  broker = await Broker.start();
  for (const [name, tags] of [["nobody", ""], ["manager", "management"], ["policer", "policymaker"], ["monitor", "monitoring"]]) {
    await broker.api("PUT", `/users/${name}`, { password: "secret", tags });
    await broker.api("PUT", `/permissions/%2F/${name}`, { configure: "", write: "", read: ".*" });
  }
  await broker.queue("orders");
});
after(async () => {
  await closeBrowser();
  await broker.end();
});

const links = (page) => page.locator("#navigation a").allInnerTexts();

test("a wrong password is told, a right one lasts for the tab, and one gets out", async () => {
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
  await page.reload();
  await page.getByRole("button", { name: "Log in" }).waitFor();
  assert.deepEqual(page.faults, []);
});

test("a user without tags is told which ones the pages need", async () => {
  const page = await openPage(broker);
  await page.goto(broker.url);
  await page.getByLabel("Name").fill("nobody");
  await page.getByLabel("Password").fill("secret");
  await page.getByRole("button", { name: "Log in" }).click();
  await sees(page, "this user has none of the tags");
});

test("each tag is offered what it may use, and told what is missing", async () => {
  for (const [user, offered, absent] of [
    ["manager", ["Queues", "Policies", "Errors"], ["Users", "Live", "Alerts", "Definitions"]],
    ["policer", ["Queues", "Policies"], ["Users", "Live", "Definitions"]],
    ["monitor", ["Live", "Alerts"], ["Users", "Definitions"]],
  ]) {
    const page = await openPage(broker);
    await logIn(page, broker, "#/", user, "secret");
    const shown = await links(page);
    for (const title of offered) assert.ok(shown.includes(title), `${user} is offered ${title}`);
    for (const title of absent) assert.ok(!shown.includes(title), `${user} is not offered ${title}`);
    await page.locator("aside").getByText("What is missing here?").click();
    await page.getByText("Users: needs the tag administrator").waitFor();
    await visit(page, "#/users");
    await sees(page, "This page needs the tag administrator.");
    await visit(page, "#/queues/%2F/orders");
    await page.getByRole("button", { name: "Purge" }).waitFor();
    await page.getByRole("button", { name: "Pause" }).waitFor({ state: user === "policer" ? "visible" : "detached" });
    if (user !== "policer") await page.locator("main").getByText("What is missing here?").waitFor();
    assert.deepEqual(page.faults, []);
    await page.context().close();
  }
});

test("what the broker refuses is told where it was tried, in its words", async () => {
  const page = await openPage(broker);
  await logIn(page, broker, "#/queues/%2F/orders", "manager", "secret");
  await page.getByRole("button", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Delete" }).click();
  await dialog.getByRole("alert").waitFor();
  assert.match(await dialog.getByRole("alert").innerText(), /Not done: Access refused\. \(status 401 not_authorised\)/);
});

test("who is deleted while looking is asked to log in again", async () => {
  await broker.api("PUT", "/users/gone", { password: "secret", tags: "monitoring" });
  const page = await openPage(broker);
  await logIn(page, broker, "#/queues", "gone", "secret");
  await page.getByLabel("Refresh").selectOption("1");
  await broker.api("DELETE", "/users/gone");
  await sees(page, "does not accept your name and password any more");
});
