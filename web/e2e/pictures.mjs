// Makes the pictures of docs/pages/, in light and dark: a shop at work, with a few problems. `npm run pictures` calls it; names behind it
// make only those.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Broker, eventually, pause } from "./broker.mjs";
import { closeBrowser, logIn, openPage, sees, visit } from "./browser.mjs";
import { administration, shop, trouble } from "./scene.mjs";

const into = process.env.PICTURES_INTO ?? resolve(import.meta.dirname, "../../docs/pages");
/** Charts of a broker that has just started show nothing. */
const WARM_UP_MS = Number(process.env.WARM_UP_SECONDS ?? 90) * 1000;
const only = process.argv.slice(2);

const dialog = (page) => page.getByRole("dialog");

/** The address of the connection or channel that belongs to a program. */
async function programOf(broker, name) {
  const connections = await broker.api("GET", "/connections");
  return connections.find((one) => one.user_provided_name === name).name;
}

const DEFINITIONS = {
  queues: [
    { name: "audit-log", vhost: "/", durable: true, auto_delete: false, arguments: { "x-max-length": 9000 } },
    { name: "refunds", vhost: "/", durable: true, auto_delete: false, arguments: {} },
  ],
  policies: [{ name: "limit-exports", vhost: "/", pattern: "^exports", definition: { "max-length": 50_000 }, priority: 5, "apply-to": "queues" }],
};

/** What is pictured: name, caption, address, and what must be seen or done first. */
const PICTURES = [
  ["overview", "Overview: is anything wrong?", "#/", async (page) => sees(page, "need a look")],
  ["queues", "Queues", "#/queues", async (page) => sees(page, "payments")],
  [
    "queue",
    "One queue",
    "#/queues/%2F/orders",
    async (page) => {
      await sees(page, "Oldest ready");
      // Of one object, one sample a minute is kept: a broker that is two minutes old has more to show of the last one.
      await page.getByRole("button", { name: "1 min" }).click();
    },
  ],
  ["messages", "Messages, looked at without touching them", "#/queues/%2F/invoices?tab=messages", async (page) => page.getByRole("button", { name: /invoice/ }).first().waitFor()],
  [
    "search",
    "A search through a queue",
    "#/queues/%2F/exports?tab=messages",
    async (page) => {
      await page.getByLabel("Search in bodies and headers").fill("order.paid");
      await page.getByRole("button", { name: /^(Search again|Find more)$/ }).waitFor();
    },
  ],
  [
    "message",
    "The story of a dead letter",
    "#/queues/%2F/dead-letters?tab=messages",
    async (page) => {
      await page.getByRole("button", { name: /payment/ }).first().click();
      await dialog(page).getByRole("tab", { name: "Story" }).click();
    },
  ],
  [
    "redrive",
    "Sending dead letters back, first as a dry run",
    "#/queues/%2F/dead-letters?tab=messages",
    async (page) => {
      await page.getByRole("button", { name: "Send back or move all" }).click();
      await dialog(page).getByRole("button", { name: "See what would be done" }).click();
      await dialog(page).getByText(/would be sent/).waitFor();
    },
  ],
  ["bindings", "Bindings of a queue", "#/queues/%2F/orders?tab=bindings", async (page) => page.locator("svg .node").first().waitFor()],
  ["queue-consumers", "Who consumes from a queue, and who holds what", "#/queues/%2F/invoices?tab=consumers", async (page) => sees(page, "acknowledges none")],
  ["arguments", "What holds for a queue, and where it comes from", "#/queues/%2F/exports?tab=arguments", async (page) => sees(page, "policy 'limit-exports'")],
  ["exchanges", "Exchanges", "#/exchanges", async (page) => sees(page, "shop")],
  ["exchange", "One exchange", "#/exchanges/%2F/shop", async (page) => sees(page, "payment.#")],
  ["where", "Where would this go?", "#/where?vhost=%2F&exchange=shop&key=order.sent", async (page) => (await sees(page, "It reaches"), await page.locator("svg .node").first().waitFor())],
  ["topology", "Topology", "#/topology", async (page) => page.locator("svg .node").first().waitFor()],
  ["connections", "Connections", "#/connections", async (page) => sees(page, "web-shop")],
  ["connection", "One connection", async (broker) => `#/connections/${encodeURIComponent(await programOf(broker, "order-service"))}`, async (page) => sees(page, "Heartbeat")],
  ["channels", "Channels", "#/channels", async (page) => page.locator("tbody tr").first().waitFor()],
  ["channel", "One channel", async (broker) => `#/channels/${encodeURIComponent(`${await programOf(broker, "order-service")} (1)`)}`, async (page) => sees(page, "Not confirmed yet")],
  ["consumers", "Consumers", "#/consumers", async (page) => sees(page, "mailer-1")],
  ["errors", "Errors, explained", "#/errors", async (page) => sees(page, "the program wants")],
  ["alerts", "Alerts: rules, state and history", "#/alerts", async (page) => page.getByRole("heading", { name: "Rules" }).waitFor()],
  ["live", "Live", "#/live", async (page) => eventually("messages pass", async () => (await page.locator("tbody tr").count()) > 14)],
  ["delayed", "Delayed", "#/delayed", async (page) => sees(page, "order.remind")],
  ["users", "Users", "#/users", async (page) => sees(page, "anna")],
  ["user", "One user: permissions and limits", "#/users/anna", async (page) => sees(page, "^billing")],
  ["vhosts", "Virtual hosts", "#/vhosts", async (page) => sees(page, "billing")],
  ["vhost", "One virtual host", "#/vhosts/billing", async (page) => sees(page, "May write to")],
  ["policies", "Policies", "#/policies", async (page) => sees(page, "expire-mail")],
  [
    "new-policy",
    "A policy that is being made: what it would change",
    "#/policies?new=true",
    async (page) => {
      await dialog(page).getByLabel("Name", { exact: true }).fill("limit-all");
      await dialog(page).getByLabel("Pattern, a regular expression").fill("^(orders|exports|mail)$");
      await dialog(page).getByLabel("Add to it").selectOption("At most 10,000 messages");
      await dialog(page).getByText("nothing → 10000").first().waitFor();
    },
  ],
  ["limits", "Limits", "#/limits", async (page) => sees(page, "channels at most")],
  ["parameters", "Parameters", "#/parameters", async (page) => sees(page, "colour")],
  ["features", "Features, and what is deprecated", "#/feature-flags", async (page) => sees(page, "Deprecated features")],
  [
    "definitions",
    "Definitions: what a file would bring, before it is imported",
    "#/definitions",
    async (page) => {
      await page.getByLabel("File of definitions").setInputFiles({ name: "shop.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(DEFINITIONS)) });
      await sees(page, "not the same");
    },
  ],
  ["node", "The node", async (broker) => `#/nodes/${encodeURIComponent((await broker.api("GET", "/overview")).node)}`, async (page) => sees(page, "Resources")],
  [
    "palette",
    "Anything is found by its name: Ctrl-K",
    "#/queues",
    async (page) => {
      await page.keyboard.press("Control+k");
      await page.keyboard.type("ord");
      await page.getByRole("option", { name: /^orders/ }).waitFor();
    },
  ],
];

/** The pages beside the pages. */
const OTHERS = [
  ["api", "The HTTP API", "/api/index.html", async (page) => sees(page, "Queues")],
  ["cli", "The command line", "/cli/index.html", async (page) => sees(page, "leveret admin")],
];

async function shoot(page, name, colorScheme) {
  // What is under the mouse looks otherwise.
  await page.mouse.move(0, 0);
  await pause(600);
  const file = join(into, `${name}-${colorScheme}.png`);
  await page.screenshot({ path: file });
  // A palette makes it a third as large, and nobody sees it.
  execFileSync("pngquant", ["--force", "--skip-if-larger", "--quality=65-92", "--speed=1", "--strip", "--output", file, file]);
  console.log(file);
}

const wanted = (name) => only.length === 0 || only.includes(name);

async function everyPage(broker, empty, colorScheme) {
  const size = { colorScheme, viewport: { width: 1280, height: 800 } };
  const page = await openPage(broker, size);
  if (wanted("login")) {
    await page.goto(broker.url);
    await page.getByRole("button", { name: "Log in" }).waitFor();
    await shoot(page, "login", colorScheme);
  }
  await logIn(page, broker);
  for (const [name, , where, ready] of PICTURES.filter(([name]) => wanted(name))) {
    await visit(page, typeof where === "string" ? where : await where(broker));
    await ready(page);
    await shoot(page, name, colorScheme);
    // An open window would stand over the next page.
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await visit(page, "#/no/page");
  }
  for (const [name, , where, ready] of OTHERS.filter(([name]) => wanted(name))) {
    await page.goto(broker.url + where);
    await ready(page);
    await shoot(page, name, colorScheme);
  }
  await page.context().close();
  if (wanted("first-steps")) {
    const first = await openPage(empty, size);
    await logIn(first, empty);
    await sees(first, "Nothing is connected yet");
    await shoot(first, "first-steps", colorScheme);
    await first.context().close();
  }
  if (wanted("phone")) {
    const phone = await openPage(broker, { colorScheme, viewport: { width: 390, height: 844 } });
    await logIn(phone, broker);
    await sees(phone, "need a look");
    await shoot(phone, "phone", colorScheme);
    await phone.context().close();
  }
}

/** The table of docs/pages/README.md. */
function writeTable() {
  const rows = [["login", "Login"], ["first-steps", "A new broker: how to begin"], ...PICTURES, ...OTHERS, ["phone", "On a phone"]];
  const lines = rows.map(([name, caption]) => `| ${caption} | ![](${name}-light.png) | ![](${name}-dark.png) |`);
  const file = join(into, "README.md");
  const text = readFileSync(file, "utf8");
  const [before] = text.split("| | light | dark |");
  const after = text.slice(text.indexOf("\n\n", before.length));
  writeFileSync(file, `${before}| | light | dark |\n|---|---|---|\n${lines.join("\n")}${after}`);
}

const broker = await Broker.start();
const empty = await Broker.start();
const scene = await shop(broker);
await administration(broker);
const problems = await trouble(broker);
try {
  await pause(WARM_UP_MS);
  mkdirSync(into, { recursive: true });
  if (only.length === 0) for (const file of readdirSync(into).filter((name) => name.endsWith(".png"))) rmSync(join(into, file));
  for (const colorScheme of ["light", "dark"]) await everyPage(broker, empty, colorScheme);
  if (only.length === 0) writeTable();
} finally {
  await Promise.all([scene.stop(), problems.stop()]);
  await closeBrowser();
  await broker.end();
  await empty.end();
}
