// A browser that looks at the pages, and notes everything that should not be there.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { eventually } from "./broker.mjs";
import { serveBuild } from "./sources.mjs";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser;

export async function openBrowser() {
  browser ??= await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
  return browser;
}

export async function closeBrowser() {
  await browser?.close();
  browser = undefined;
}

/** A tab of its own. `page.faults` has what the console complains of, and requests to anybody else. */
export async function openPage(broker, options = {}) {
  const context = await (await openBrowser()).newContext({ viewport: { width: 1280, height: 860 }, ...options });
  if (process.env.PAGES_FROM_BUILD) await serveBuild(context, broker.url);
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(String(error)));
  page.on("console", (message) => {
    const isRefusal = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !isRefusal) page.faults.push(message.text());
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(broker.url) && !url.startsWith("data:") && !url.startsWith("blob:")) page.faults.push(`request to ${url}`);
  });
  return page;
}

export async function logIn(page, broker, hash = "#/", user = "guest", password = "guest") {
  await page.goto(`${broker.url}/${hash}`);
  await page.getByLabel("Name").fill(user);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("button", { name: "Log out" }).waitFor();
}

/** Goes to a page, and waits until it is drawn: what the page before showed must not be taken for it. */
export async function visit(page, hash) {
  await page.evaluate(async (hash) => {
    if (location.hash !== hash) {
      const changed = new Promise((done) => addEventListener("hashchange", done, { once: true }));
      location.hash = hash;
      await changed;
    }
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  }, hash);
}

/** Waits until the page shows a text. */
export async function sees(page, text) {
  await eventually(`the page shows ${text}`, async () => {
    const shown = await page.locator("body").innerText();
    return text instanceof RegExp ? text.test(shown) : shown.includes(text);
  });
}

/** What keeps somebody from using a page: axe-core's findings. */
export async function violations(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary?.split("\n")[1] ?? ""}`));
}
