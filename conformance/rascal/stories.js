// Rascal makes its virtual host over the management API, and what is in it over AMQP; it tells by x-death what was replayed.
'use strict';

const assert = require('node:assert/strict');
const { BrokerAsPromised, withDefaultConfig } = require('rascal');
const { AMQP_URL, Inbox, failure, main, proxy, story, unique, until } = require('../amqplib/harness');
const { api, open } = require('../support/session');

const AMQP = new URL(AMQP_URL);
const HTTP = new URL(process.env.HTTP_URL);
const LOGIN = { user: decodeURIComponent(AMQP.username), password: decodeURIComponent(AMQP.password) };

function connection(port = AMQP.port || 5672) {
  return {
    ...LOGIN,
    hostname: AMQP.hostname,
    port,
    retry: { min: 100, max: 1000, factor: 2, strategy: 'exponential' },
    management: { ...LOGIN, protocol: 'http', hostname: HTTP.hostname, port: HTTP.port, options: { timeout: 10_000 } },
  };
}

/** A broker of Rascal's in a virtual host of its own. */
async function broker(s, settings, { name = unique('rascal'), port, assertIt = true } = {}) {
  // Rascal puts the name into the path as it is.
  s.ending(() => api('DELETE', `vhosts/${name}`));
  const vhost = { assert: assertIt, check: !assertIt, connection: connection(port), ...settings.vhost };
  const config = withDefaultConfig({ vhosts: { [name]: vhost }, publications: settings.publications, subscriptions: settings.subscriptions });
  for (const each of [...Object.values(config.publications ?? {}), ...Object.values(config.subscriptions ?? {})]) each.vhost = name;
  const made = await BrokerAsPromised.create(config);
  made.on('error', () => {}); // without a listener Node ends the process
  s.ending(() => made.shutdown());
  return { made, name };
}

const orders = {
  vhost: {
    exchanges: { orders: { type: 'topic' } },
    queues: { made: { options: { durable: true } } },
    bindings: ['orders[order.#] -> made'],
  },
  publications: { order: { exchange: 'orders', routingKey: 'order.made' }, lost: { exchange: 'orders', routingKey: 'nobody' } },
  subscriptions: { made: { queue: 'made', prefetch: 5 } },
};

async function subscribe(made, name, handle) {
  const subscription = await made.subscribe(name);
  subscription.on('error', () => {});
  subscription.on('message', handle);
  return subscription;
}

/** What becomes of a publication. */
const outcome = (publication) => new Promise((resolve) => {
  for (const name of ['success', 'error', 'return']) publication.on(name, (told) => resolve([name, told]));
});

story('virtual-host', async (s) => {
  const { made, name } = await broker(s, orders);
  assert.equal((await api('GET', `vhosts/${name}`)).json.name, name);
  const got = new Inbox();
  await subscribe(made, 'made', (message, content, ackOrNack) => {
    ackOrNack();
    got.push([content, message.fields.routingKey, message.properties.contentType]);
  });
  assert.equal((await outcome(await made.publish('order', { id: 1 })))[0], 'success');
  assert.deepEqual(await got.next(), [{ id: 1 }, 'order.made', 'application/json']);
  assert.equal((await outcome(await made.publish('lost', { id: 2 })))[0], 'return');
  // What its users' tests do at their end: the virtual host goes, with all that is in it.
  await made.nuke();
  assert.equal((await api('GET', `vhosts/${name}`)).status, 404);
});

story('virtual-host-missing', async (s) => {
  const error = await failure(broker(s, orders, { assertIt: false }));
  assert.match(error.message, /Failed to check vhost: .* returned status 404/);
});

story('replay', async (s) => {
  // Refused by way of its own queue, so that the error goes along; the dead letters come back by themselves. Rascal knows by count and
  // time of x-death that this is another try.
  const { made } = await broker(s, {
    vhost: {
      exchanges: ['work', 'dead', 'back'],
      queues: {
        work: { options: { arguments: { 'x-dead-letter-exchange': 'dead' } } },
        dead: { options: { arguments: { 'x-message-ttl': 200, 'x-dead-letter-exchange': 'back' } } },
      },
      bindings: ['work -> work', 'dead -> dead', 'back -> work'],
    },
    publications: { job: { exchange: 'work' } },
    subscriptions: { job: { queue: 'work' } },
  });
  const got = new Inbox();
  let tries = 0;
  await subscribe(made, 'job', (message, content, ackOrNack) => {
    got.push(message.properties.headers);
    if (++tries < 3) ackOrNack(new Error(`try ${tries}`), { strategy: 'republish', immediateNack: true });
    else ackOrNack();
  });
  await made.publish('job', 'a job');
  const headers = await got.take(3);
  assert.equal(headers[0]['x-death'], undefined);
  assert.deepEqual(headers.slice(1).map((each) => each.rascal.error.message), ['try 1', 'try 2']);
  const death = headers[2]['x-death'].find((each) => each.queue === 'work');
  assert.deepEqual([death.reason, death.exchange, typeof death.time.value], ['rejected', '', 'number']);
});

story('attempts', async (s) => {
  const { made } = await broker(s, {
    ...orders,
    vhost: {
      ...orders.vhost,
      queues: { made: { options: { arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'refused' } } }, refused: {} },
    },
    subscriptions: { ...orders.subscriptions, refused: { queue: 'refused' } },
  });
  const [got, refused] = [new Inbox(), new Inbox()];
  await subscribe(made, 'made', (message, content, ackOrNack) => {
    got.push(message.properties.headers.rascal.recovery?.made?.republished ?? 0);
    ackOrNack(new Error('never'), [{ strategy: 'republish', attempts: 2 }, { strategy: 'nack' }]);
  });
  await subscribe(made, 'refused', (message, content, ackOrNack) => {
    ackOrNack();
    refused.push([content, message.properties.headers['x-death'].map((each) => [each.queue, each.reason, each.count])]);
  });
  await made.publish('order', 'no');
  assert.deepEqual(await got.take(3), [0, 1, 2]);
  assert.deepEqual(await refused.next(), ['no', [['made', 'rejected', 1]]]);
});

story('reconnect', async (s) => {
  const { made, name } = await broker(s, orders, { port: new URL(process.env.PROXY_URL).port });
  const got = new Inbox();
  await subscribe(made, 'made', (message, content, ackOrNack) => {
    ackOrNack();
    got.push(content);
  });
  await made.publish('order', 'before');
  assert.equal(await got.next(), 'before');
  const back = new Promise((resolve) => made.on('vhost_initialised', resolve));
  await proxy('cut');
  await back;
  const consumers = async () => (await api('GET', `queues/${name}/made`)).json?.consumer_details?.length === 1;
  await until('it consumes again', consumers);
  await made.publish('order', 'after');
  assert.equal(await got.nextBut('before'), 'after');
});

main(open);
