// How long the list of 10,000 queues takes, whether typing and scrolling wait for anything, and what an open page costs the broker.
// `npm run speed` calls it, `npm run speed -- --idle` for the costs alone; LEVERET_BINARY names a release build. It prints figures and judges nothing: the machine matters.
import { readFileSync } from "node:fs";
import amqp from "amqplib";
import { Broker, eventually, pause } from "./broker.mjs";
import { closeBrowser, logIn, openPage, sees, visit } from "./browser.mjs";

const QUEUES = 10_000;
const TRIES = 5;
/** An idle page is watched for so long. */
const SECONDS = Number(process.env.SPEED_SECONDS ?? 60);
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

/** How soon a long list is there, and whether typing and scrolling wait. */
async function speed(page) {
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
}

/** Pages, and what each shows once it is there. */
const PAGES = [
  ["the overview", "#/", "Messages a second"],
  ["100 of 10,000 queues", "#/queues", "queue.00099"],
  ["500 of 10,000 queues", "#/queues?page_size=500", "queue.00499"],
  ["100 queues by their messages", "#/queues?sort=messages&sort_reverse=true", "queue.0"],
  ["a queue", "#/queues/%2F/queue.00000", "Oldest ready"],
  ["exchanges", "#/exchanges", "amq.topic"],
  ["connections", "#/connections", "Connections"],
  ["consumers", "#/consumers", "Consumers"],
  ["the node", "#/nodes/rabbit%40localhost", "Resources"],
  ["alerts", "#/alerts", "Rules"],
  ["errors", "#/errors", "Errors"],
  ["policies", "#/policies", "Operator policies"],
  ["topology", "#/topology", "Only the first 500 queues are drawn"],
];

/** What each page costs the broker while nothing happens, without what the broker does by itself. */
async function idle(broker, page) {
  await visit(page, "#/no/such/page");
  await pause(5000);
  const alone = await costs(broker, SECONDS);
  say("broker with a page that asks nothing, of a core", alone, "%");
  for (const [what, hash, text] of PAGES) {
    await visit(page, hash);
    await sees(page, text);
    await pause(6000);
    say(`${what}, beside that`, (await costs(broker, SECONDS)) - alone, "%");
  }
}

const broker = await Broker.start();
try {
  await declare(broker);
  const page = await openPage(broker);
  await logIn(page, broker);
  if (!process.argv.includes("--idle")) await speed(page);
  await idle(broker, page);
} finally {
  await closeBrowser();
  await broker.end();
}
