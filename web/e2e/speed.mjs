// How long the list of 10,000 queues takes, whether typing and scrolling wait for anything, and what an open page costs the broker.
// `npm run speed` calls it; LEVERET_BINARY names a release build. It prints figures and judges nothing: the machine matters.
import { readFileSync } from "node:fs";
import amqp from "amqplib";
import { Broker, eventually, pause } from "./broker.mjs";
import { closeBrowser, logIn, openPage, visit } from "./browser.mjs";

const QUEUES = 10_000;
const TRIES = 5;
const TICKS_A_SECOND = 100;

const middle = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

async function declare(broker) {
  const connection = await amqp.connect(broker.amqp);
  const channel = await connection.createChannel();
  for (let at = 0; at < QUEUES; at += 200) {
    const some = Array.from({ length: 200 }, (_, more) => `queue.${String(at + more).padStart(5, "0")}`);
    await Promise.all(some.map((name) => channel.assertQueue(name, { durable: false })));
  }
  await connection.close();
}

/** Milliseconds from the click until the rows are there, as the page itself sees it. */
async function opens(page) {
  const link = await page.getByRole("link", { name: "Queues", exact: true }).elementHandle();
  return link.evaluate(
    (link) =>
      new Promise((done) => {
        const start = performance.now();
        const look = () => (document.querySelectorAll("tbody tr").length === 100 ? requestAnimationFrame(() => done(performance.now() - start)) : requestAnimationFrame(look));
        link.click();
        look();
      }),
  );
}

/** The longest that the page was busy at once, in milliseconds, while something was done. */
async function longest(page, act) {
  await page.evaluate(() => {
    window.worst = 0;
    let last = performance.now();
    const look = () => {
      const now = performance.now();
      window.worst = Math.max(window.worst, now - last);
      last = now;
      window.looking = requestAnimationFrame(look);
    };
    window.looking = requestAnimationFrame(() => ((last = performance.now()), look()));
  });
  await act();
  return page.evaluate(() => (cancelAnimationFrame(window.looking), window.worst));
}

/** Seconds of a processor that the broker has used. */
function used(broker) {
  const fields = readFileSync(`/proc/${broker.process.pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

async function costs(broker, seconds) {
  const before = used(broker);
  await pause(seconds * 1000);
  return ((used(broker) - before) / seconds) * 100;
}

const say = (text, value, unit) => console.log(`${text}: ${value.toFixed(unit === "%" ? 2 : 0)} ${unit}`);

const broker = await Broker.start();
try {
  const quiet = await costs(broker, 30);
  const empty = await openPage(broker);
  await logIn(empty, broker);
  await pause(3000);
  say("broker without a page, of a core", quiet, "%");
  say("broker with the overview open, of a core", await costs(broker, 60), "%");
  await empty.context().close();
  await declare(broker);
  const page = await openPage(broker);
  await logIn(page, broker);
  const times = [];
  for (let at = 0; at < TRIES; at += 1) {
    await visit(page, "#/alerts");
    await eventually("the alerts are there", () => page.getByRole("heading", { name: "Rules" }).count());
    times.push(await opens(page));
  }
  say(`list of ${QUEUES} queues opens, middle of ${TRIES}`, middle(times), "ms");
  say(`list of ${QUEUES} queues opens, slowest of ${TRIES}`, Math.max(...times), "ms");
  const filter = page.getByLabel("Filter by name");
  say("longest pause between two frames while typing", await longest(page, () => filter.pressSequentially("queue.0123", { delay: 60 })), "ms");
  await filter.fill("");
  await page.getByLabel("a page").selectOption("500");
  await eventually("500 rows", async () => (await page.locator("tbody tr").count()) === 500);
  await page.mouse.move(640, 500);
  const scroll = async () => {
    for (let at = 0; at < 40; at += 1) {
      await page.mouse.wheel(0, 300);
      await pause(50);
    }
  };
  say("longest pause between two frames while scrolling 500 rows", await longest(page, scroll), "ms");
  say("broker with the list open, of a core", await costs(broker, 60), "%");
} finally {
  await closeBrowser();
  await broker.end();
}
