// What comes late changes nothing that somebody has gone on with since.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Broker } from "./broker.mjs";
import { closeBrowser, logIn, openPage, sees, visit } from "./browser.mjs";

let broker;
before(async () => {
  broker = await Broker.start();
  for (const name of ["first", "ale"]) await broker.queue(name);
});
after(async () => {
  await closeBrowser();
  await broker.end();
});

/** Holds back the requests that are like this until they are let go. */
async function held(page, wanted) {
  let release;
  const until = new Promise((done) => (release = done));
  await page.route(wanted, async (route) => (await until, await route.continue()));
  return release;
}

/** Purges the queue `first`; the answer is held back. */
async function purge(page) {
  const release = await held(page, "**/api/queues/*/first/contents");
  await visit(page, "#/queues/%2F/first");
  await page.getByRole("button", { name: "Purge" }).click();
  const asked = page.waitForRequest((request) => request.method() === "DELETE");
  await page.getByRole("dialog").getByRole("button", { name: "Purge" }).click();
  await asked;
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  return release;
}

test("an act that ends late leaves the question alone that is asked then", async () => {
  const page = await openPage(broker);
  await logIn(page, broker);
  const release = await purge(page);
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").waitFor();
  release();
  await sees(page, "The queue is purged.");
  assert.equal(await page.getByRole("dialog").count(), 1);
  assert.deepEqual(page.faults, []);
});

test("a refusal that comes late logs nobody out who has logged in since", async () => {
  await broker.api("PUT", "/users/gone", { password: "secret", tags: "administrator" });
  await broker.api("PUT", "/permissions/%2F/gone", { configure: ".*", write: ".*", read: ".*" });
  const page = await openPage(broker);
  await logIn(page, broker, "#/", "gone", "secret");
  const release = await purge(page);
  await page.getByRole("button", { name: "Log out" }).click();
  await broker.api("DELETE", "/users/gone");
  await page.getByLabel("Name").fill("guest");
  await page.getByLabel("Password").fill("guest");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("button", { name: "Log out" }).waitFor();
  const answered = page.waitForResponse((response) => response.request().method() === "DELETE");
  release();
  assert.equal((await answered).status(), 401);
  // Behind it, as the page hears of it.
  await page.evaluate(() => fetch("/api/auth").then((response) => response.text()));
  await visit(page, "#/exchanges");
  await page.getByRole("heading", { level: 1, name: "Exchanges" }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Log out" }).count(), 1);
});

test("what is chosen in the palette stays chosen while more is found", async () => {
  const page = await openPage(broker);
  await logIn(page, broker);
  const release = await held(page, "**/api/queues?*name=ale*");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("ale");
  await page.keyboard.press("ArrowDown");
  const chosen = page.locator("[role=option][aria-selected=true]");
  const before = await chosen.innerText();
  release();
  await page.getByRole("option", { name: /^ale\s*queue/ }).waitFor();
  assert.equal(await chosen.innerText(), before);
});
