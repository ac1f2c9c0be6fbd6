// What the stories of the Node clients share: the registry, deadlines, the
// proxy's control connection and a few ways to wait for things.
'use strict';

const crypto = require('node:crypto');
const net = require('node:net');

const AMQP_URL = process.env.AMQP_URL || 'amqp://guest:guest@127.0.0.1:5672/%2F';
const STORY_DEADLINE = 240_000;
const WAIT_DEADLINE = 60_000; // a busy machine is slow

class NotOffered extends Error {}

const stories = new Map();
const story = (name, body, deadline = STORY_DEADLINE) => stories.set(name, { body, deadline });

const notOffered = (why) => {
  throw new NotOffered(why);
};

const unique = (what) => `conformance-${what}-${crypto.randomBytes(6).toString('hex')}`;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Rejects if `promise` has not settled after `ms`. */
function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Polls `probe` until it gives something truthy, which is returned. */
async function until(what, probe, ms = WAIT_DEADLINE) {
  const deadline = Date.now() + ms;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await pause(20);
  }
}

/** Resolves with the arguments of the next `event` of `emitter`. */
const event = (emitter, name, ms = WAIT_DEADLINE) =>
  within(ms, `event ${name}`, new Promise((resolve) => emitter.once(name, (...args) => resolve(args))));

/** Collects what callbacks bring, to be awaited one by one. */
class Inbox {
  constructor() {
    this.items = [];
    this.waiting = [];
    this.push = (item) => {
      const waiter = this.waiting.shift();
      if (waiter) waiter(item);
      else this.items.push(item);
    };
  }

  next(ms = WAIT_DEADLINE) {
    if (this.items.length) return Promise.resolve(this.items.shift());
    return within(ms, 'message', new Promise((resolve) => this.waiting.push(resolve)));
  }

  /** The next item but one whose acknowledgement may have been under way when its connection ended: that one may come again. */
  async nextBut(repeated) {
    const item = await this.next();
    return item === repeated ? this.next() : item;
  }

  async take(n) {
    const taken = [];
    while (taken.length < n) taken.push(await this.next());
    return taken;
  }
}

/** The error `promise` rejects with. */
const failure = (promise) =>
  promise.then(
    () => {
      throw new Error('succeeded where an error was due');
    },
    (error) => error,
  );

function proxyUrl(parameters = '') {
  if (!process.env.PROXY_URL) throw new Error('PROXY_URL is not set');
  return process.env.PROXY_URL + parameters;
}

/** Sends one command (freeze, thaw, cut) to the proxy. */
function proxy(command) {
  const [host, port] = process.env.PROXY_CONTROL.split(/:(?=\d+$)/);
  const answer = new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), host, () => socket.write(`${command}\n`));
    socket.once('data', (data) => {
      socket.destroy();
      if (String(data).trim() === 'ok') resolve();
      else reject(new Error(`the proxy answered ${data}`));
    });
    socket.once('error', reject);
  });
  return within(WAIT_DEADLINE, 'answer of the proxy', answer);
}

/** A second form of the URL with some parts replaced. */
function variant(changes) {
  const url = new URL(AMQP_URL);
  Object.assign(url, changes);
  return url.href;
}

const vhost = () => decodeURIComponent(new URL(AMQP_URL).pathname.slice(1)) || '/';
const userName = () => decodeURIComponent(new URL(AMQP_URL).username) || 'guest';

const oneLine = (error) => String(error?.message ?? error).replace(/\s+/g, ' ');

/**
 * Runs the stories named on the command line, or all. Each gets what
 * `open()` returns, whose `close()` tidies up afterwards.
 */
async function main(open) {
  let interrupt = () => {};
  process.on('uncaughtException', (error) => interrupt(error)); // thrown in a callback: the story fails
  process.on('unhandledRejection', () => {}); // of a promise that a failed story no longer awaits
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((name) => !stories.has(name));
  for (const name of unknown) console.log(`FAIL ${name}: no such story`);
  let passed = 0;
  let failed = unknown.length;
  for (const [name, { body, deadline }] of stories) {
    if (wanted.length && !wanted.includes(name)) continue;
    const context = open();
    let reason = null;
    let remark = '';
    const interrupted = new Promise((_, reject) => {
      interrupt = reject;
    });
    try {
      await within(deadline, 'end of the story', Promise.race([body(context), interrupted]));
    } catch (error) {
      if (error instanceof NotOffered) remark = ` (not offered by the client: ${error.message})`;
      else reason = oneLine(error);
      if (process.env.CONFORMANCE_TRACE) console.error(error);
    }
    try {
      await within(deadline, 'end of the cleaning up', context.close());
    } catch (error) {
      reason ??= `cleaning up: ${oneLine(error)}`;
    }
    if (reason === null) passed++;
    else failed++;
    console.log(reason === null ? `ok ${name}${remark}` : `FAIL ${name}: ${reason}`);
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

module.exports = {
  AMQP_URL, Inbox, WAIT_DEADLINE, event, failure, main, notOffered, pause, proxy, proxyUrl, story,
  unique, until, userName, variant, vhost, within,
};
