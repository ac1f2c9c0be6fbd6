// What an open page asks for while nothing happens: little, and nothing that it knows already.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "./broker.mjs";
import { logIn, openPage, sees, visit } from "./browser.mjs";
import { clearStage, setStage } from "./stage.mjs";

let broker, connection, page;
async function prepare(channel) {
  for (let at = 0; at < 120; at += 1) await channel.assertQueue(`idle.${String(at).padStart(3, "0")}`);
  await channel.consume("idle.000", () => {}, { consumerTag: "reader" });
}
before(async () => ({ broker, connection, page } = await setStage({ prepare })));
after(() => clearStage({ broker, connection }));

/** The next answers of the broker that this holds for. */
function answers(wanted, count) {
  return new Promise((done) => {
    const found = [];
    const note = (response) => {
      if (!wanted(response.url())) return;
      found.push({ status: response.status(), url: response.url() });
      if (found.length < count) return;
      page.off("response", note);
      done(found);
    };
    page.on("response", note);
  });
}

for (const [hash, shown, asked] of [
  ["#/queues", "idle.099", "/api/queues?"],
  ["#/exchanges", "amq.topic", "/api/exchanges?"],
  ["#/consumers", "reader", "/api/leveret/consumers?"],
  ["#/policies", "Operator policies", "/api/policies"],
]) {
  test(`${hash} is not sent again while it stays the same`, async () => {
    await visit(page, hash);
    await sees(page, shown);
    // The first ones may see what moved a moment ago.
    await eventually("the broker says that nothing has changed", async () => {
      const [answer] = await answers((url) => url.includes(asked), 1);
      return answer.status === 304;
    });
    assert.ok((await page.locator("main").innerText()).includes(shown), "what is known stays");
  });
}

test("a change is seen, although most answers are not sent", async () => {
  await visit(page, "#/queues?name=idle.00");
  await page.getByRole("link", { name: "idle.009" }).waitFor();
  const channel = await connection.createChannel();
  channel.sendToQueue("idle.009", Buffer.from("new"));
  await eventually("the new message counts", async () => /\s1\s/.test(await page.getByRole("row", { name: /idle\.009/ }).innerText()));
  await channel.purgeQueue("idle.009");
});

test("a list asks for what it shows, and for samples once", async () => {
  // Not what the list before still asks for.
  const asked = answers((url) => url.includes("/api/queues?") && url.includes("name=idle.01&"), 3);
  await visit(page, "#/queues?name=idle.01");
  const [first, second, third] = await asked;
  assert.match(first.url, /lengths_age=60/);
  for (const { url } of [second, third]) assert.doesNotMatch(url, /lengths_age/);
  for (const { url } of [first, second, third]) assert.match(url, /columns=name%2Cvhost%2C/);
});

test("a tab that nobody sees asks for nothing, and goes on when it is seen", async () => {
  const hidden = await openPage(broker);
  await hidden.clock.install();
  await logIn(hidden, broker, "#/queues");
  await sees(hidden, "idle.099");
  const show = (isHidden) =>
    hidden.evaluate((isHidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
      document.dispatchEvent(new Event("visibilitychange"));
    }, isHidden);
  await show(true);
  const asked = [];
  const note = (request) => asked.push(request.url());
  hidden.on("request", note);
  await hidden.clock.runFor(120_000);
  assert.deepEqual(asked, []);
  hidden.off("request", note);
  const again = hidden.waitForRequest((request) => request.url().includes("/api/queues?"));
  await show(false);
  await again;
  assert.deepEqual(hidden.faults, []);
  await hidden.context().close();
});
