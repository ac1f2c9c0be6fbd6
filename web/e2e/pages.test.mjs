import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import amqp from "amqplib";
import { Broker, eventually } from "./broker.mjs";
import { RULES, closeBrowser, logIn, openPage, sees, violations, visit } from "./browser.mjs";
import { shop } from "./scene.mjs";

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

for (const colorScheme of ["light", "dark"]) {
  test(`every page is there and accessible, ${colorScheme}`, async () => {
    const page = await openPage(broker, { colorScheme, reducedMotion: "reduce" });
    await logIn(page, broker);
    for (const [hash, text] of await places()) {
      await visit(page, hash);
      await sees(page, text);
      assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), colorScheme);
      assert.deepEqual(await violations(page, ...RULES[colorScheme]), [], hash);
    }
    assert.deepEqual(page.faults, []);
  });
}

test("what opens over a page is accessible, too, light and dark", async () => {
  for (const colorScheme of ["light", "dark"]) {
    const page = await openPage(broker, { colorScheme, reducedMotion: "reduce" });
    await logIn(page, broker);
    const dialog = page.getByRole("dialog");
    for (const [hash, button] of [
      ["#/queues", "New queue"],
      ["#/exchanges", "New exchange"],
      ["#/policies", "New policy"],
      ["#/users", "New user"],
      ["#/vhosts", "New virtual host"],
      ["#/queues/%2F/orders", "Publish"],
      ["#/queues/%2F/orders", "Purge"],
      ["#/queues/%2F/orders", "Delete"],
    ]) {
      await visit(page, hash);
      await page.getByRole("button", { name: button, exact: true }).first().click();
      await dialog.waitFor();
      assert.deepEqual(await violations(page, ...RULES[colorScheme]), [], `${hash} ${button}`);
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "detached" });
    }
    await page.keyboard.press("Control+k");
    await dialog.waitFor();
    assert.deepEqual(await violations(page), [], "the palette");
    await page.goto("about:blank");
    await page.goto(broker.url);
    await page.evaluate(() => sessionStorage.clear());
    await page.reload();
    await page.getByRole("button", { name: "Log in" }).waitFor();
    assert.deepEqual(await violations(page), [], "the login");
    await page.context().close();
  }
});

test("whoever wants less motion sees none", async () => {
  const animations = async (reducedMotion) => {
    const page = await openPage(broker, { reducedMotion });
    await logIn(page, broker, "#/queues");
    await page.getByRole("button", { name: "New queue" }).click();
    await page.getByRole("dialog").waitFor();
    const moving = await page.evaluate(() =>
      [...document.querySelectorAll("*")].filter((element) => {
        const style = getComputedStyle(element);
        return style.animationName !== "none" || style.transitionDuration.split(", ").some((time) => time !== "0s");
      }).length,
    );
    await page.context().close();
    return moving;
  };
  assert.equal(await animations("reduce"), 0);
  assert.ok((await animations("no-preference")) > 0, "there is some to be left out");
});

test("RabbitMQ's addresses lead to the same things", async () => {
  const page = await openPage(broker);
  await logIn(page, broker);
  const [connection] = await broker.api("GET", "/connections");
  const [channel] = await broker.api("GET", "/channels");
  const of = encodeURIComponent;
  await broker.api("PUT", "/policies/%2F/p", { pattern: "^nothing", definition: { "max-length": 1 }, priority: 0, "apply-to": "queues" });
  for (const [hash, title] of [
    ["#/", "Overview"],
    ["#/connections", "Connections"],
    [`#/connections/${of(connection.name)}`, connection.user_provided_name ?? connection.name],
    ["#/channels", "Channels"],
    [`#/channels/${of(channel.name)}`, channel.name],
    ["#/exchanges", "Exchanges"],
    ["#/exchanges/%2F/amq.default", "(AMQP default)"],
    ["#/exchanges/%2F/shop", "shop"],
    ["#/queues", "Queues"],
    ["#/queues/%2F/orders", "orders"],
    ["#/nodes/rabbit%40localhost", "rabbit@localhost"],
    ["#/users", "Users"],
    ["#/users/guest", "guest"],
    ["#/vhosts", "Virtual hosts"],
    ["#/vhosts/%2F", "/"],
    ["#/policies", "Policies"],
    ["#/policies/%2F/p", "p"],
    ["#/limits", "Limits"],
    ["#/feature-flags", "Features"],
    ["#/deprecated-features", "Features"],
    ["#/cluster-name", "Overview"],
  ]) {
    await visit(page, hash);
    await page.getByRole("heading", { level: 1, name: title, exact: true }).waitFor();
  }
  await broker.api("DELETE", "/policies/%2F/p");
  await visit(page, "#/logout");
  await page.getByRole("button", { name: "Log in" }).waitFor();
  await page.getByLabel("Name").fill("guest");
  await page.getByLabel("Password").fill("guest");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  assert.deepEqual(page.faults, []);
});

test("the policy of the pages lets nothing run that somebody brings in", async () => {
  const page = await openPage(broker);
  const response = await page.goto(broker.url);
  const policy = response.headers()["content-security-policy"];
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*|http:|https:/);
  const refused = page.waitForEvent("console", (message) => /Content Security Policy/.test(message.text()));
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.hit = 1";
    document.body.append(script);
  });
  await refused;
  assert.equal(await page.evaluate(() => window.hit), undefined);
});

test("a node has charts of what it uses, and consumers are found and sorted by the broker", async () => {
  const page = await openPage(broker);
  await logIn(page, broker, "#/nodes/rabbit%40localhost");
  for (const name of ["Memory", "Disk", "Descriptors and connections"]) {
    const legend = page.getByRole("figure", { name, exact: true }).locator(".u-legend");
    await eventually(`the chart ${name} has values`, async () => /At\s*\d\d:\d\d:\d\d/.test(await legend.innerText()));
  }
  await visit(page, "#/consumers");
  await page.getByLabel("Filter by tag, queue or channel").fill("payments");
  await sees(page, /1 of \d+ consumers/);
  await page.getByRole("cell", { name: "payment-service-1" }).waitFor();
  await page.getByLabel("Filter by tag, queue or channel").fill("");
  await page.getByRole("button", { name: "Prefetch" }).click();
  await page.locator("tbody tr").first().getByText("audit-writer-1").waitFor();
  assert.deepEqual(page.faults, []);
});

test("a wide screen is used, and nothing is stretched beyond reading", async () => {
  const page = await openPage(broker, { viewport: { width: 2560, height: 1300 } });
  await logIn(page, broker, "#/queues");
  await page.getByRole("link", { name: "payments" }).waitFor();
  const [table, room] = await page.evaluate(() => [document.querySelector("main table").getBoundingClientRect().width, innerWidth]);
  assert.ok(table > 1200 && table <= room, `${table} of ${room}`);
});

test("nothing is wider than a phone, and the menu leads everywhere", async () => {
  const page = await openPage(broker, { viewport: { width: 390, height: 844 } });
  await logIn(page, broker);
  for (const [hash, text] of await places()) {
    await visit(page, hash);
    await sees(page, text);
    const [shown, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(shown <= room, `${hash} is ${shown} wide`);
    assert.deepEqual(await violations(page), [], hash);
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
  for (const [typed, option, heading] of [
    ["dead", /^dead\s*exchange/, "dead"],
    ["web-shop", /^web-shop\s*connection/, "web-shop"],
    ["guest", /^guest\s*user/, "guest"],
    ["alerts", /^Alerts\s*page/, "Alerts"],
  ]) {
    await page.keyboard.press("Control+k");
    await page.keyboard.type(typed);
    const found = page.getByRole("option", { name: option });
    await found.waitFor();
    // Down to it, wherever it stands among the others.
    await eventually("it is chosen", async () => {
      if ((await found.getAttribute("aria-selected")) === "true") return true;
      await page.keyboard.press("ArrowDown");
      return false;
    });
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: heading, exact: true }).waitFor();
  }
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
  await page.locator("html[data-theme=dark]").waitFor();
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
