// A browser that looks at the pages, and notes everything that should not be there.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { PATIENCE_MS, eventually } from "./broker.mjs";
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
  browser ??= await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS, timeout: 120_000 });
  return browser;
}

export async function closeBrowser() {
  await browser?.close();
  browser = undefined;
}

/** A tab of its own. `page.faults` has what the console complains of, and requests to anybody but the broker and `others`. */
export async function openPage(broker, { others = [], ...options } = {}) {
  const context = await (await openBrowser()).newContext({ viewport: { width: 1280, height: 860 }, ...options });
  if (process.env.PAGES_FROM_BUILD) await serveBuild(context, broker.url);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(String(error)));
  page.on("console", (message) => {
    const isRefusal = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !isRefusal) page.faults.push(message.text());
  });
  page.on("request", (request) => {
    const url = request.url();
    if (![broker.url, ...others, "data:", "blob:"].some((known) => url.startsWith(known))) page.faults.push(`request to ${url}`);
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

/** What axe-core is asked in each theme: in dark colours, nothing but the colours is new. */
export const RULES = { light: [], dark: ["color-contrast", "link-in-text-block"] };

/** What keeps somebody from using a page: axe-core's findings; those of `rules` alone, where the rest was asked for already. */
export async function violations(page, ...rules) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  const found = await page.evaluate((rules) => {
    const runOnly = rules.length > 0 ? { runOnly: { type: "rule", values: rules } } : {};
    return window.axe.run(document, { resultTypes: ["violations"], ...runOnly });
  }, rules);
  return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary?.split("\n")[1] ?? ""}`));
}
