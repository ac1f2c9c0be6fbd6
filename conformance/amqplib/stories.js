// The stories, told by amqplib. Not offered by the client: `tx`, as it has no tx methods. It knows no cluster-id
// either, and hides why a connection to a missing virtual host was refused.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const { promisify } = require('node:util');
const amqp = require('amqplib');
const withCallbacks = require('amqplib/callback_api');
const {
  AMQP_URL, Inbox, WAIT_DEADLINE, event, failure, main, notOffered, pause, proxy, proxyUrl, story,
  unique, until, userName, variant, vhost, within,
} = require('./harness');

/** Connections of one story, and the names to delete after it. */
function open() {
  const connections = [];
  const queues = [];
  const exchanges = [];
  const context = {
    async connect(url = AMQP_URL, options = {}) {
      const connection = await amqp.connect(url, options);
      connection.on('error', () => {}); // without a listener Node ends the process
      connections.push(connection);
      return connection;
    },

    async channel(connection, confirm = false) {
      connection ??= connections[0] ?? (await context.connect());
      const channel = await (confirm ? connection.createConfirmChannel() : connection.createChannel());
      channel.on('error', () => {});
      return channel;
    },

    queueName() {
      queues.push(unique('queue'));
      return queues.at(-1);
    },

    exchangeName() {
      exchanges.push(unique('exchange'));
      return exchanges.at(-1);
    },

    async queue(channel, options = {}) {
      const name = context.queueName();
      await channel.assertQueue(name, options);
      return name;
    },

    async exchange(channel, type, options = {}) {
      const name = context.exchangeName();
      await channel.assertExchange(name, type, options);
      return name;
    },

    async close() {
      await Promise.allSettled(connections.map((connection) => within(2000, 'close-ok', connection.close())));
      if (!queues.length && !exchanges.length) return;
      const connection = await amqp.connect(AMQP_URL);
      connection.on('error', () => {});
      const channel = await connection.createChannel();
      for (const name of queues) await channel.deleteQueue(name);
      for (const name of exchanges) await channel.deleteExchange(name);
      await connection.close();
    },
  };
  return context;
}

async function consume(channel, queue, options = {}) {
  const inbox = new Inbox();
  const { consumerTag } = await channel.consume(queue, inbox.push, options);
  return Object.assign(inbox, { consumerTag });
}

const send = (channel, queue, text, options) => channel.sendToQueue(queue, Buffer.from(text), options);
const text = (message) => message.content.toString();
const texts = (messages) => messages.map(text);

const ready = async (channel, queue) => (await channel.checkQueue(queue)).messageCount;
const holds = (channel, queue, n) =>
  until(`${n} messages in ${queue}`, async () => (await ready(channel, queue)) === n);

/** Publishes to the default exchange of a confirm channel and waits for the ack. */
const confirmed = (channel, queue, content, options = {}) =>
  new Promise((resolve, reject) => {
    channel.sendToQueue(queue, Buffer.from(content), options, (nack) => (nack ? reject(nack) : resolve()));
  });

/** The next message, which must have this body. */
async function receive(inbox, body) {
  const message = await inbox.next();
  assert.equal(text(message), body);
  return message;
}

/** Runs `operation` on a channel of its own; it must close that with `code` and a text like `reason`. */
async function refused(context, code, reason, operation) {
  const channel = await context.channel();
  const closed = Promise.all([event(channel, 'error'), event(channel, 'close')]);
  const [[[error]]] = await Promise.all([closed, operation(channel).catch(() => {})]);
  assert.equal(error.code, code, error.message);
  assert.ok(error.message.includes(reason), `"${error.message}" lacks "${reason}"`);
}

const missing = (context, operation) => refused(context, 404, 'NOT_FOUND - no ', operation);

/** Waits until `operation` closes its channel with 404. */
const gone = (context, what, operation) =>
  until(`${what} is gone`, async () => {
    const channel = await context.channel();
    try {
      await operation(channel);
    } catch (error) {
      assert.equal(error.code, 404);
      return true;
    }
    await channel.close();
    return false;
  });

story('declare', async (t) => {
  const channel = await t.channel();
  const exchanges = [];
  for (const type of ['direct', 'fanout', 'topic', 'headers']) {
    const exchange = await t.exchange(channel, type);
    await channel.assertExchange(exchange, type);
    await channel.checkExchange(exchange);
    exchanges.push(exchange);
  }
  const queue = t.queueName();
  for (const declare of ['assertQueue', 'assertQueue', 'checkQueue']) {
    assert.deepEqual({ ...(await channel[declare](queue)) }, { queue, messageCount: 0, consumerCount: 0 });
  }
  const named = await channel.assertQueue('', { exclusive: true });
  assert.match(named.queue, /^amq\.gen-/);
  for (let i = 0; i < 3; i++) send(channel, queue, 'x');
  await holds(channel, queue, 3);
  assert.equal((await channel.purgeQueue(queue)).messageCount, 3);
  await holds(channel, queue, 0);
  await channel.deleteQueue(queue);
  await missing(t, (ch) => ch.checkQueue(queue));
  for (const exchange of exchanges) await channel.deleteExchange(exchange);
  await missing(t, (ch) => ch.checkExchange(exchanges[0]));
  await channel.checkQueue(named.queue); // other channels go on
});

story('bind', async (t) => {
  const channel = await t.channel();
  const queue = await t.queue(channel);
  const inbox = await consume(channel, queue, { noAck: true });
  const publish = (exchange, key, headers) => channel.publish(exchange, key, Buffer.from(key), { headers });
  const arrives = async (exchange, key) => {
    const { fields } = await receive(inbox, key);
    assert.deepEqual([fields.exchange, fields.routingKey], [exchange, key]);
  };
  const topic = await t.exchange(channel, 'topic');
  await channel.bindQueue(queue, topic, 'stock.*.nyse');
  await channel.bindQueue(queue, topic, '#.all');
  for (const key of ['stock.ibm.nyse', 'stock.ibm.lse', 'a.b.all']) publish(topic, key);
  await arrives(topic, 'stock.ibm.nyse');
  await arrives(topic, 'a.b.all');
  await channel.unbindQueue(queue, topic, '#.all');
  for (const key of ['a.b.all', 'stock.sun.nyse']) publish(topic, key);
  await arrives(topic, 'stock.sun.nyse');

  const headers = await t.exchange(channel, 'headers');
  await channel.bindQueue(queue, headers, '', { 'x-match': 'all', a: 1, b: 'two' });
  publish(headers, 'first', { a: 1 });
  publish(headers, 'second', { a: 1, b: 'two', c: true });
  await arrives(headers, 'second');

  const fanout = await t.exchange(channel, 'fanout');
  const other = await t.queue(channel);
  await channel.bindQueue(queue, fanout, '');
  await channel.bindQueue(other, fanout, '');
  publish(fanout, 'one');
  publish(fanout, 'two');
  await arrives(fanout, 'one');
  await arrives(fanout, 'two');
  await holds(channel, other, 2);
});

story('publish-consume', async (t) => {
  const channel = await t.channel();
  const queue = await t.queue(channel);
  const inbox = await consume(channel, queue);
  const bodies = [...Array.from({ length: 100 }, (_, i) => `message ${i}`), ''];
  for (const body of bodies) send(channel, queue, body, { persistent: true });
  for (const [i, body] of bodies.entries()) {
    const message = await receive(inbox, body);
    assert.deepEqual({ ...message.fields },
      { consumerTag: inbox.consumerTag, deliveryTag: i + 1, redelivered: false, exchange: '', routingKey: queue });
    channel.ack(message);
  }
  await channel.cancel(inbox.consumerTag);
  send(channel, queue, 'one more');
  await holds(channel, queue, 1);
  assert.equal(inbox.items.length, 0);
});

story('confirms', async (t) => {
  const channel = await t.channel(undefined, true);
  const queue = await t.queue(channel);
  for (let i = 0; i < 50; i++) send(channel, queue, `${i}`, { persistent: i % 2 === 0 });
  await channel.waitForConfirms();
  await holds(channel, queue, 50);
  await confirmed(channel, unique('nowhere'), 'unroutable');
  const full = await t.queue(channel, { maxLength: 1, overflow: 'reject-publish' });
  await confirmed(channel, full, 'fits');
  assert.match((await failure(confirmed(channel, full, 'too many'))).message, /nacked/);
});

story('mandatory-return', async (t) => {
  const channel = await t.channel(undefined, true);
  const key = unique('nowhere');
  const returns = [];
  channel.on('return', (message) => returns.push(message));
  await confirmed(channel, key, 'back', { mandatory: true, messageId: 'm1', headers: { a: 1 } });
  assert.equal(returns.length, 1, 'the return comes before the ack');
  const [{ fields, properties, content }] = returns;
  assert.deepEqual({ ...fields }, { replyCode: 312, replyText: 'NO_ROUTE', exchange: '', routingKey: key });
  assert.deepEqual([properties.messageId, { ...properties.headers }, content.toString()], ['m1', { a: 1 }, 'back']);
  await confirmed(channel, await t.queue(channel), 'routed', { mandatory: true });
  assert.equal(returns.length, 1);
});

story('prefetch', async (t) => {
  const channel = await t.channel(undefined, true);
  const queue = await t.queue(channel);
  for (let i = 1; i <= 10; i++) await confirmed(channel, queue, `${i}`);
  await channel.prefetch(3);
  const inbox = await consume(channel, queue);
  // Nothing more arrives: behind a round trip it would be here.
  const settled = async (left) => {
    await holds(channel, queue, left);
    assert.equal(inbox.items.length, 0);
  };
  const [first, ...others] = await inbox.take(3);
  assert.deepEqual(texts([first, ...others]), ['1', '2', '3']);
  await settled(7);
  channel.ack(first);
  const fourth = await receive(inbox, '4');
  await settled(6);
  channel.ack(fourth, true);
  const three = await inbox.take(3);
  assert.deepEqual(texts(three), ['5', '6', '7']);
  await settled(3);
  for (const message of three) channel.ack(message);
  for (const body of ['8', '9', '10']) channel.ack(await receive(inbox, body));
  await settled(0);
});

story('nack-requeue', async (t) => {
  const channel = await t.channel(undefined, true);
  const queue = await t.queue(channel);
  for (const body of ['a', 'b', 'c']) await confirmed(channel, queue, body);
  const inbox = await consume(channel, queue);
  const arrives = async (body, redelivered) => {
    const message = await receive(inbox, body);
    assert.equal(message.fields.redelivered, redelivered, `redelivered of ${body}`);
    return message;
  };
  await arrives('a', false);
  const b = await arrives('b', false);
  const c = await arrives('c', false);
  channel.nack(b, false, true);
  await arrives('b', true);
  channel.reject(c, true);
  channel.nack(await arrives('c', true), true, true);
  for (const body of ['a', 'b', 'c']) channel.nack(await arrives(body, true), false, false);
  await holds(channel, queue, 0);
  assert.equal(inbox.items.length, 0);
});

/** The x-death entries as [count, reason, queue, exchange]; their times must be recent. */
function deaths({ properties: { headers } }) {
  return headers['x-death'].map((death) => {
    assert.equal(death.time['!'], 'timestamp');
    assert.ok(Math.abs(death.time.value - Date.now() / 1000) < 60, `time ${death.time.value}`);
    return [death.count, death.reason, death.queue, death.exchange];
  });
}

const deathHeaders = ({ properties: { headers } }, which) =>
  ['reason', 'queue', 'exchange'].map((part) => headers[`x-${which}-death-${part}`]);

story('dead-letter', async (t) => {
  const channel = await t.channel();
  const dlx = await t.exchange(channel, 'direct');
  const dead = await t.queue(channel);
  await channel.bindQueue(dead, dlx, 'dead');
  const work = await t.queue(channel, { deadLetterExchange: dlx, deadLetterRoutingKey: 'dead' });
  const buried = await consume(channel, dead);
  send(channel, work, 'x', { headers: { mine: 'kept' } });
  channel.reject(await receive(await consume(channel, work), 'x'), false);
  let message = await receive(buried, 'x');
  assert.deepEqual([message.fields.exchange, message.fields.routingKey], [dlx, 'dead']);
  assert.equal(message.properties.headers.mine, 'kept');
  assert.deepEqual(deaths(message), [[1, 'rejected', work, '']]);
  assert.deepEqual(message.properties.headers['x-death'][0]['routing-keys'], [work]);
  assert.deepEqual(deathHeaders(message, 'first'), ['rejected', work, '']);
  assert.deepEqual(deathHeaders(message, 'last'), ['rejected', work, '']);

  const wait = t.queueName();
  const work2 = await t.queue(channel, { deadLetterExchange: '', deadLetterRoutingKey: wait });
  await channel.assertQueue(wait, { messageTtl: 100, deadLetterExchange: '', deadLetterRoutingKey: work2 });
  const inbox = await consume(channel, work2);
  send(channel, work2, 'retry');
  message = await receive(inbox, 'retry');
  assert.equal(message.properties.headers['x-death'], undefined);
  channel.reject(message, false);
  channel.reject(await receive(inbox, 'retry'), false);
  message = await receive(inbox, 'retry');
  assert.deepEqual(deaths(message), [[2, 'expired', wait, ''], [2, 'rejected', work2, '']]);
  assert.deepEqual(deathHeaders(message, 'first'), ['rejected', work2, '']);
  assert.deepEqual(deathHeaders(message, 'last'), ['expired', wait, '']);
});

story('ttl', async (t) => {
  const channel = await t.channel();
  const dead = await t.queue(channel);
  const letters = { deadLetterExchange: '', deadLetterRoutingKey: dead };
  const inbox = await consume(channel, dead);
  const byQueue = await t.queue(channel, { messageTtl: 200, ...letters });
  send(channel, byQueue, 'queue');
  assert.deepEqual(deaths(await receive(inbox, 'queue')), [[1, 'expired', byQueue, '']]);

  const byMessage = await t.queue(channel, letters);
  send(channel, byMessage, 'message', { expiration: '200' });
  const message = await receive(inbox, 'message');
  assert.deepEqual(deaths(message), [[1, 'expired', byMessage, '']]);
  assert.equal(message.properties.headers['x-death'][0]['original-expiration'], '200');
  assert.equal(message.properties.expiration, undefined);

  const expiring = await t.queue(channel, { expires: 300 });
  let returned = false;
  channel.on('return', () => { returned = true; });
  await until('a return: the queue has expired', () => send(channel, expiring, 'x', { mandatory: true }) && returned);
  await gone(t, expiring, (ch) => ch.checkQueue(expiring));
});

story('priorities', async (t) => {
  const channel = await t.channel(undefined, true);
  const queue = await t.queue(channel, { maxPriority: 10 });
  const priorities = { a: 1, b: 5, c: 3, d: undefined, e: 10, f: 5 };
  for (const [body, priority] of Object.entries(priorities)) await confirmed(channel, queue, body, { priority });
  await channel.prefetch(1);
  const inbox = await consume(channel, queue);
  for (const body of ['e', 'b', 'f', 'c', 'a', 'd']) {
    const message = await receive(inbox, body);
    assert.equal(message.properties.priority, priorities[body]);
    channel.ack(message);
  }
});

story('rpc-direct-reply-to', async (t) => {
  const server = await t.channel();
  const requests = await t.queue(server);
  const replyTos = [];
  await server.consume(requests, ({ content, properties: { replyTo, correlationId } }) => {
    replyTos.push(replyTo);
    send(server, replyTo, content.toString().toUpperCase(), { correlationId });
  }, { noAck: true });
  const client = await t.channel(await t.connect());
  const replies = await consume(client, 'amq.rabbitmq.reply-to', { noAck: true });
  const ids = ['one', 'two', 'three'];
  for (const id of ids) send(client, requests, `hello ${id}`, { replyTo: 'amq.rabbitmq.reply-to', correlationId: id });
  for (const id of ids) {
    const reply = await receive(replies, `HELLO ${id.toUpperCase()}`);
    assert.equal(reply.properties.correlationId, id);
  }
  for (const replyTo of replyTos) assert.match(replyTo, /^amq\.rabbitmq\.reply-to\../);
});

story('exclusive-auto-delete', async (t) => {
  const channel = await t.channel();
  const owner = await t.connect();
  const exclusive = await t.queue(await t.channel(owner), { exclusive: true, durable: false });
  await refused(t, 405, 'RESOURCE_LOCKED', (ch) => ch.checkQueue(exclusive));
  await owner.close();
  await missing(t, (ch) => ch.checkQueue(exclusive));

  const fleeting = await t.queue(channel, { autoDelete: true });
  const { consumerTag } = await consume(channel, fleeting);
  await channel.cancel(consumerTag);
  await gone(t, fleeting, (ch) => ch.checkQueue(fleeting));

  const queue = await t.queue(channel);
  const exchange = await t.exchange(channel, 'direct', { autoDelete: true });
  await channel.bindQueue(queue, exchange, 'key');
  await channel.unbindQueue(queue, exchange, 'key');
  await gone(t, exchange, (ch) => ch.checkExchange(exchange));
});

story('large-body', async (t) => {
  const channel = await t.channel(undefined, true);
  const queue = await t.queue(channel);
  const bodies = [0, 1, 131063, 131064, 131065, 131072, 10 * 1024 * 1024].map((size) => crypto.randomBytes(size));
  for (const body of bodies) await confirmed(channel, queue, body);
  const inbox = await consume(channel, queue, { noAck: true });
  for (const body of bodies) {
    const { content } = await inbox.next();
    assert.ok(body.equals(content), `a body of ${body.length} bytes came back changed, with ${content.length} bytes`);
  }
});

story('cancel-notification', async (t) => {
  const channel = await t.channel();
  const queue = await t.queue(channel);
  const inbox = await consume(channel, queue);
  await (await t.channel()).deleteQueue(queue);
  assert.equal(await inbox.next(), null); // how the library tells
  await channel.assertQueue('', { exclusive: true });
});

story('delete-own-consumer', async (t) => {
  const channel = await t.channel();
  const queue = await t.queue(channel);
  const inbox = await consume(channel, queue);
  assert.deepEqual({ ...(await channel.deleteQueue(queue)) }, { messageCount: 0 });
  assert.equal(await inbox.next(), null);
  await channel.assertQueue('', { exclusive: true });
  // What calls back does so at once, in the order of the frames; a promise that is resolved runs after all that came with it.
  const connection = await promisify(withCallbacks.connect)(AMQP_URL);
  const plain = await promisify(connection.createChannel.bind(connection))();
  for (let round = 0; round < 20; round++) {
    const name = await t.queue(channel);
    const heard = new Inbox();
    await new Promise((resolve) => plain.consume(name, heard.push, {}, resolve));
    plain.deleteQueue(name, {}, () => heard.push('deleted'));
    assert.deepEqual(await heard.take(2), ['deleted', null]);
  }
  await promisify(connection.close.bind(connection))();
});

story('errors', async (t) => {
  const connection = await t.connect();
  const at = `in vhost '${vhost()}'`;
  const nowhere = unique('missing');
  await refused(t, 404, `NOT_FOUND - no queue '${nowhere}' ${at}`, (ch) => ch.consume(nowhere, () => {}));
  const queue = await t.queue(await t.channel());
  await refused(t, 406,
    `PRECONDITION_FAILED - inequivalent arg 'durable' for queue '${queue}' ${at}: received 'false' but current is 'true'`,
    (ch) => ch.assertQueue(queue, { durable: false }));
  await refused(t, 403, `ACCESS_REFUSED - deletion of system exchange 'amq.direct' ${at} not allowed`,
    (ch) => ch.deleteExchange('amq.direct'));
  const exclusive = await t.queue(await t.channel(await t.connect()), { exclusive: true });
  await refused(t, 405, `RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '${exclusive}' ${at}`,
    (ch) => ch.checkQueue(exclusive));

  const vhostError = await failure(amqp.connect(variant({ pathname: `/${nowhere}` })));
  assert.match(vhostError.message, /got <ConnectionClose/); // the library hides the code (530) and the text
  const loginError = await failure(amqp.connect(variant({ username: 'conformance-nobody', password: nowhere })));
  assert.match(loginError.message,
    /403 .*ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN\. For details see the broker logfile\./);

  await (await t.channel(connection)).assertQueue('', { exclusive: true });
});

story('heartbeat-loss', async (t) => {
  const connection = await t.connect(proxyUrl('?heartbeat=1'));
  const channel = await t.channel(connection);
  await consume(channel, await t.queue(channel));
  const closed = event(connection, 'close', 120_000);
  const early = await Promise.race([closed, pause(3000)]); // idle for three heartbeats
  assert.equal(early, undefined, 'lost while nothing was wrong');
  await proxy('freeze');
  try {
    const [error] = await within(WAIT_DEADLINE, 'notice of the lost connection', closed);
    assert.match(error.message, /[Hh]eartbeat/);
  } finally {
    await proxy('thaw');
  }
});

story('reconnect', async (t) => {
  const queue = t.queueName();
  const inbox = new Inbox();
  let channel;
  const setup = async (model) => {
    channel = await model.createChannel();
    channel.on('error', () => {});
    await channel.assertQueue(queue);
    await channel.prefetch(10);
    await channel.consume(queue, (message) => message && inbox.push(message));
  };
  const connection = await t.connect(proxyUrl(), { recovery: { initialDelay: 50, setup } });
  send(channel, queue, 'a');
  send(channel, queue, 'b');
  channel.ack(await receive(inbox, 'a'));
  await receive(inbox, 'b');
  await channel.checkQueue(queue); // behind the ack, so that has arrived
  const lost = event(connection, 'disconnect');
  const back = event(connection, 'connect');
  await proxy('cut');
  await lost;
  await back;
  const again = await receive(inbox, 'b');
  assert.equal(again.fields.redelivered, true);
  channel.ack(again);
  send(channel, queue, 'c');
  channel.ack(await receive(inbox, 'c'));
  await holds(channel, queue, 0);
  assert.equal(inbox.items.length, 0);
});

story('channels-1000', async (t) => {
  const connection = await t.connect();
  const first = await t.channel(connection);
  const queue = await t.queue(first);
  const channels = await Promise.all(Array.from({ length: 1000 }, () => t.channel(connection)));
  await Promise.all(channels.map((channel) => channel.checkQueue(queue)));
  channels.forEach((channel, i) => send(channel, queue, `${i}`));
  const inbox = await consume(first, queue, { noAck: true });
  const got = texts(await inbox.take(channels.length)).map(Number).sort((a, b) => a - b);
  assert.deepEqual(got, channels.map((_, i) => i));
  await Promise.all(channels.map((channel) => channel.close()));
  await connection.close();
});

story('tls', async (t) => {
  const { AMQPS_URL: url, TLS_FOLDER: folder } = process.env;
  if (!url) notOffered('no certificates of this broker are known here');
  const read = (name) => fs.readFileSync(`${folder}/${name}`);
  const thereAndBack = async (options) => {
    const channel = await t.channel(await t.connect(url, options), true);
    const queue = t.queueName();
    await channel.assertQueue(queue, { exclusive: true });
    const body = crypto.randomBytes(1024 * 1024);
    channel.sendToQueue(queue, body);
    await channel.waitForConfirms();
    const message = await channel.get(queue, { noAck: true });
    assert.ok(message.content.equals(body));
  };
  const ca = [read('ca.pem')];
  await thereAndBack({ ca });
  await assert.rejects(t.connect(url));
  const credentials = amqp.credentials.external();
  await thereAndBack({ ca, cert: read('client.pem'), key: read('client.key'), credentials });
});

story('tx', () => notOffered('it has no tx methods'));

story('headers-and-properties', async (t) => {
  const channel = await t.channel();
  const queue = await t.queue(channel);
  const inbox = await consume(channel, queue, { noAck: true });
  const properties = { // the library sets no cluster-id
    contentType: 'text/plain', contentEncoding: 'utf-8', deliveryMode: 2, priority: 7, correlationId: 'c1',
    replyTo: 'r1', expiration: '60000', messageId: 'm1', timestamp: 1_700_000_000, type: 't1',
    userId: userName(), appId: 'a1',
    headers: {
      string: 'grüße', emptyString: '', bool: true, no: false, nothing: null, int8: -5, int16: -3000,
      int32: 2_000_000_000, int64: 9_000_000_000, double: 1.25, bytes: Buffer.from([0, 255]),
      float: { '!': 'float', value: 0.5 }, uint16: { '!': 'unsignedshort', value: 60000 },
      time: { '!': 'timestamp', value: 1_700_000_001 }, decimal: { '!': 'decimal', value: { places: 2, digits: 314 } },
      table: { inner: { innermost: [1, 'two', { three: 3 }] }, empty: {} }, array: ['a', 2, [true, null], { b: 1 }],
    },
  };
  send(channel, queue, 'x', properties);
  const { headers, ...others } = (await receive(inbox, 'x')).properties;
  const plain = (value) => JSON.parse(JSON.stringify(value)); // the library adds hidden fields to what it decodes
  assert.deepEqual(plain(headers), plain({ ...properties.headers, float: 0.5, uint16: 60000 }));
  assert.deepEqual({ ...others, headers: properties.headers }, { ...properties, clusterId: undefined });

  send(channel, queue, 'x');
  const bare = (await receive(inbox, 'x')).properties;
  assert.deepEqual(plain(bare), { headers: {} }); // the library always sends a table
});

story('exchange-to-exchange', async (t) => {
  const channel = await t.channel();
  const a = await t.exchange(channel, 'fanout');
  const b = await t.exchange(channel, 'topic');
  const queue = await t.queue(channel);
  await channel.bindExchange(b, a, '');
  await channel.bindQueue(queue, b, 'k.#');
  const inbox = await consume(channel, queue, { noAck: true });
  const publish = (exchange, key) => channel.publish(exchange, key, Buffer.from(key));
  const arrives = async (exchange, key) => {
    const { fields } = await receive(inbox, key);
    assert.deepEqual([fields.exchange, fields.routingKey], [exchange, key]);
  };
  publish(a, 'k.1');
  publish(a, 'other');
  await arrives(a, 'k.1');
  await channel.unbindExchange(b, a, '');
  publish(a, 'k.2');
  publish(b, 'k.3');
  await arrives(b, 'k.3');
});

story('get', async (t) => {
  const channel = await t.channel(undefined, true);
  const queue = await t.queue(channel);
  const take = async (body, messageCount, redelivered, options) => {
    const message = await channel.get(queue, options);
    assert.ok(message, 'the queue is empty');
    assert.equal(text(message), body);
    const { deliveryTag, ...fields } = message.fields;
    assert.deepEqual(fields, { redelivered, exchange: '', routingKey: queue, messageCount });
    return message;
  };
  assert.equal(await channel.get(queue), false);
  for (const body of ['1', '2', '3']) await confirmed(channel, queue, body);
  const first = await take('1', 2, false);
  await take('2', 1, false, { noAck: true });
  const third = await take('3', 0, false);
  channel.nack(first, false, true);
  channel.ack(third);
  channel.ack(await take('1', 0, true));
  assert.equal(await channel.get(queue), false);
});

main(open);
