// The stories, told by rabbitmq-client: by its channels and, where it has them, by its high-level consumer, publisher
// and RPC client. It has no basic.reject; the stories nack instead.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { Connection, ConsumerStatus } = require('rabbitmq-client');
const {
  AMQP_URL, Inbox, WAIT_DEADLINE, event, failure, main, pause, proxy, proxyUrl, story,
  unique, until, userName, variant, vhost, within,
} = require('../amqplib/harness');

/** Connections of one story, and the names to delete after it. */
function open() {
  const connections = [];
  const queues = [];
  const exchanges = [];
  const context = {
    async connect(url = AMQP_URL, options = {}) {
      const connection = new Connection({ url, retryLow: 50, ...options });
      connection.on('error', () => {}); // without a listener Node ends the process
      connections.push(connection);
      await connection.onConnect(60_000);
      return connection;
    },

    async channel(connection, confirm = false) {
      connection ??= connections[0] ?? (await context.connect());
      const channel = await connection.acquire({ emitErrorsFromChannel: true });
      channel.on('error', () => {});
      if (confirm) await channel.confirmSelect();
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

    async queue(channel, args = {}, options = {}) {
      const queue = context.queueName();
      await channel.queueDeclare({ queue, durable: true, ...options, arguments: args });
      return queue;
    },

    async exchange(channel, type, options = {}) {
      const exchange = context.exchangeName();
      await channel.exchangeDeclare({ exchange, type, durable: true, ...options });
      return exchange;
    },

    async close() {
      for (const connection of connections) connection.unsafeDestroy();
      if (!queues.length && !exchanges.length) return;
      const connection = new Connection(AMQP_URL);
      connection.on('error', () => {});
      for (const name of queues) await connection.queueDelete(name);
      for (const exchange of exchanges) await connection.exchangeDelete({ exchange });
      await connection.close();
    },
  };
  return context;
}

async function consume(channel, queue, options = {}) {
  const inbox = new Inbox();
  const { consumerTag } = await channel.basicConsume({ queue, ...options }, inbox.push);
  return Object.assign(inbox, { consumerTag });
}

const send = (channel, routingKey, text, envelope) =>
  channel.basicPublish({ routingKey, ...envelope }, Buffer.from(text));
const text = (message) => message.body.toString();
const texts = (messages) => messages.map(text);

const ready = async (channel, queue) => (await channel.queueDeclare({ queue, passive: true })).messageCount;
const holds = (channel, queue, n) =>
  until(`${n} messages in ${queue}`, async () => (await ready(channel, queue)) === n);

/** The next message, which must have this body. */
async function receive(inbox, body) {
  const message = await inbox.next();
  assert.equal(text(message), body);
  return message;
}

/** The error must have this code and a text with `reason`. */
function check(error, code, reason) {
  assert.equal(error.code, code, error.message);
  assert.ok(error.message.includes(reason), `"${error.message}" lacks "${reason}"`);
}

/** Runs `operation` on a channel of its own; it must close that with `code` and a text like `reason`. */
async function refused(context, code, reason, operation) {
  const channel = await context.channel();
  const closed = event(channel, 'close');
  check(await failure(operation(channel)), code, reason);
  await closed;
}

const missing = (context, operation) => refused(context, 'NOT_FOUND', 'NOT_FOUND - no ', operation);

/** Waits until `operation` closes its channel with 404. */
const gone = (context, what, operation) =>
  until(`${what} is gone`, async () => {
    const channel = await context.channel();
    try {
      await operation(channel);
    } catch (error) {
      assert.equal(error.code, 'NOT_FOUND');
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
    await channel.exchangeDeclare({ exchange, type, durable: true });
    await channel.exchangeDeclare({ exchange, type, passive: true });
    exchanges.push(exchange);
  }
  const queue = t.queueName();
  for (const options of [{ durable: true }, { durable: true }, { passive: true }]) {
    assert.deepEqual({ ...(await channel.queueDeclare({ queue, ...options })) }, { queue, messageCount: 0, consumerCount: 0 });
  }
  const named = await channel.queueDeclare({ exclusive: true });
  assert.match(named.queue, /^amq\.gen-/);
  for (let i = 0; i < 3; i++) await send(channel, queue, 'x');
  await holds(channel, queue, 3);
  assert.equal((await channel.queuePurge(queue)).messageCount, 3);
  await holds(channel, queue, 0);
  await channel.queueDelete(queue);
  await missing(t, (ch) => ready(ch, queue));
  for (const exchange of exchanges) await channel.exchangeDelete({ exchange });
  await missing(t, (ch) => ch.exchangeDeclare({ exchange: exchanges[0], passive: true }));
  await ready(channel, named.queue); // other channels go on
});

story('bind', async (t) => {
  const channel = await t.channel();
  const queue = await t.queue(channel);
  const inbox = await consume(channel, queue, { noAck: true });
  const publish = (exchange, key, headers) => send(channel, key, key, { exchange, headers });
  const arrives = async (exchange, key) => {
    const message = await receive(inbox, key);
    assert.deepEqual([message.exchange, message.routingKey], [exchange, key]);
  };
  const topic = await t.exchange(channel, 'topic');
  await channel.queueBind({ queue, exchange: topic, routingKey: 'stock.*.nyse' });
  await channel.queueBind({ queue, exchange: topic, routingKey: '#.all' });
  for (const key of ['stock.ibm.nyse', 'stock.ibm.lse', 'a.b.all']) await publish(topic, key);
  await arrives(topic, 'stock.ibm.nyse');
  await arrives(topic, 'a.b.all');
  await channel.queueUnbind({ queue, exchange: topic, routingKey: '#.all' });
  for (const key of ['a.b.all', 'stock.sun.nyse']) await publish(topic, key);
  await arrives(topic, 'stock.sun.nyse');

  const headers = await t.exchange(channel, 'headers');
  await channel.queueBind({ queue, exchange: headers, arguments: { 'x-match': 'all', a: 1, b: 'two' } });
  await publish(headers, 'first', { a: 1 });
  await publish(headers, 'second', { a: 1, b: 'two', c: true });
  await arrives(headers, 'second');

  const fanout = await t.exchange(channel, 'fanout');
  const other = await t.queue(channel);
  await channel.queueBind({ queue, exchange: fanout });
  await channel.queueBind({ queue: other, exchange: fanout });
  await publish(fanout, 'one');
  await publish(fanout, 'two');
  await arrives(fanout, 'one');
  await arrives(fanout, 'two');
  await holds(channel, other, 2);
});

story('publish-consume', async (t) => {
  const channel = await t.channel();
  const queue = await t.queue(channel);
  const inbox = await consume(channel, queue);
  const bodies = [...Array.from({ length: 100 }, (_, i) => `message ${i}`), ''];
  for (const body of bodies) await send(channel, queue, body, { durable: true });
  for (const [i, body] of bodies.entries()) {
    const { consumerTag, deliveryTag, redelivered, exchange, routingKey } = await receive(inbox, body);
    assert.deepEqual([consumerTag, deliveryTag, redelivered, exchange, routingKey],
      [inbox.consumerTag, i + 1, false, '', queue]);
    channel.basicAck({ deliveryTag });
  }
  await channel.basicPublish(queue, { json: [1, 2] }); // the library encodes and decodes JSON
  const { body, deliveryTag } = await inbox.next();
  assert.deepEqual(body, { json: [1, 2] });
  channel.basicAck({ deliveryTag });
  await channel.basicCancel(inbox.consumerTag);
  await send(channel, queue, 'one more');
  await holds(channel, queue, 1);
  assert.equal(inbox.items.length, 0);
});

story('confirms', async (t) => {
  const channel = await t.channel(undefined, true);
  const queue = await t.queue(channel);
  await Promise.all(Array.from({ length: 50 }, (_, i) => send(channel, queue, `${i}`, { durable: i % 2 === 0 })));
  await holds(channel, queue, 50);
  await send(channel, unique('nowhere'), 'unroutable');
  const full = await t.queue(channel, { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
  await send(channel, full, 'fits');
  assert.equal((await failure(send(channel, full, 'too many'))).code, 'NACK');
  const publisher = (await t.connect()).createPublisher({ confirm: true });
  await publisher.send(queue, 'through the high-level publisher');
  await holds(channel, queue, 51);
  await publisher.close();
});

story('mandatory-return', async (t) => {
  const channel = await t.channel(undefined, true);
  const key = unique('nowhere');
  const returns = new Inbox();
  channel.on('basic.return', returns.push);
  await send(channel, key, 'back', { mandatory: true, messageId: 'm1', headers: { a: 1 } });
  const message = await returns.next(); // the library hands it out later than the ack
  assert.deepEqual([message.replyCode, message.replyText, message.exchange, message.routingKey], [312, 'NO_ROUTE', '', key]);
  assert.deepEqual([message.messageId, message.headers, text(message)], ['m1', { a: 1 }, 'back']);
  const queue = await t.queue(channel);
  await send(channel, queue, 'routed', { mandatory: true });
  await holds(channel, queue, 1);
  assert.equal(returns.items.length, 0);
});

story('prefetch', async (t) => {
  const channel = await t.channel(undefined, true);
  const queue = await t.queue(channel);
  for (let i = 1; i <= 10; i++) await send(channel, queue, `${i}`);
  await channel.basicQos({ prefetchCount: 3 });
  const inbox = await consume(channel, queue);
  // Nothing more arrives: behind a round trip it would be here.
  const settled = async (left) => {
    await holds(channel, queue, left);
    assert.equal(inbox.items.length, 0);
  };
  const ack = ({ deliveryTag }, multiple = false) => channel.basicAck({ deliveryTag, multiple });
  const [first, ...others] = await inbox.take(3);
  assert.deepEqual(texts([first, ...others]), ['1', '2', '3']);
  await settled(7);
  ack(first);
  const fourth = await receive(inbox, '4');
  await settled(6);
  ack(fourth, true);
  const three = await inbox.take(3);
  assert.deepEqual(texts(three), ['5', '6', '7']);
  await settled(3);
  for (const message of three) ack(message);
  for (const body of ['8', '9', '10']) ack(await receive(inbox, body));
  await settled(0);
});

story('nack-requeue', async (t) => {
  const channel = await t.channel(undefined, true);
  const queue = await t.queue(channel);
  for (const body of ['a', 'b', 'c']) await send(channel, queue, body);
  const inbox = await consume(channel, queue);
  const arrives = async (body, redelivered) => {
    const message = await receive(inbox, body);
    assert.equal(message.redelivered, redelivered, `redelivered of ${body}`);
    return message;
  };
  const nack = ({ deliveryTag }, options) => channel.basicNack({ deliveryTag, ...options });
  await arrives('a', false);
  const b = await arrives('b', false);
  const c = await arrives('c', false);
  nack(b, { requeue: true });
  await arrives('b', true);
  nack(c, { requeue: true }); // the library has no basic.reject
  nack(await arrives('c', true), { multiple: true, requeue: true });
  for (const body of ['a', 'b', 'c']) nack(await arrives(body, true), { requeue: false });
  await holds(channel, queue, 0);
  assert.equal(inbox.items.length, 0);

  const other = await t.queue(channel);
  await send(channel, other, 'for the high-level consumer');
  const seen = new Inbox();
  const connection = await t.connect();
  const consumer = connection.createConsumer({ queue: other, queueOptions: { passive: true } }, ({ redelivered }) => {
    seen.push(redelivered);
    return redelivered ? ConsumerStatus.ACK : ConsumerStatus.REQUEUE;
  });
  assert.deepEqual(await seen.take(2), [false, true]);
  await consumer.close();
  await holds(channel, other, 0);
});

/** The x-death entries as [count, reason, queue, exchange]; their times must be recent. */
function deaths({ headers }) {
  return headers['x-death'].map(({ time, count, reason, queue, exchange }) => {
    assert.ok(Math.abs(Number(time) - Date.now() / 1000) < 60, `time ${time}`);
    return [count, reason, queue, exchange];
  });
}

const deathHeaders = ({ headers }, which) =>
  ['reason', 'queue', 'exchange'].map((part) => headers[`x-${which}-death-${part}`]);

const lettersTo = (exchange, key) => ({ 'x-dead-letter-exchange': exchange, 'x-dead-letter-routing-key': key });

story('dead-letter', async (t) => {
  const channel = await t.channel();
  const dlx = await t.exchange(channel, 'direct');
  const dead = await t.queue(channel);
  await channel.queueBind({ queue: dead, exchange: dlx, routingKey: 'dead' });
  const work = await t.queue(channel, lettersTo(dlx, 'dead'));
  const buried = await consume(channel, dead);
  const reject = ({ deliveryTag }) => channel.basicNack({ deliveryTag, requeue: false });
  await send(channel, work, 'x', { headers: { mine: 'kept' } });
  reject(await receive(await consume(channel, work), 'x'));
  let message = await receive(buried, 'x');
  assert.deepEqual([message.exchange, message.routingKey, message.headers.mine], [dlx, 'dead', 'kept']);
  assert.deepEqual(deaths(message), [[1, 'rejected', work, '']]);
  assert.deepEqual(message.headers['x-death'][0]['routing-keys'], [work]);
  assert.deepEqual(deathHeaders(message, 'first'), ['rejected', work, '']);
  assert.deepEqual(deathHeaders(message, 'last'), ['rejected', work, '']);

  const wait = t.queueName();
  const work2 = await t.queue(channel, lettersTo('', wait));
  await channel.queueDeclare({ queue: wait, durable: true, arguments: { 'x-message-ttl': 100, ...lettersTo('', work2) } });
  const inbox = await consume(channel, work2);
  await send(channel, work2, 'retry');
  message = await receive(inbox, 'retry');
  assert.equal(message.headers?.['x-death'], undefined);
  reject(message);
  reject(await receive(inbox, 'retry'));
  message = await receive(inbox, 'retry');
  assert.deepEqual(deaths(message), [[2, 'expired', wait, ''], [2, 'rejected', work2, '']]);
  assert.deepEqual(deathHeaders(message, 'first'), ['rejected', work2, '']);
  assert.deepEqual(deathHeaders(message, 'last'), ['expired', wait, '']);
});

story('ttl', async (t) => {
  const channel = await t.channel();
  const dead = await t.queue(channel);
  const inbox = await consume(channel, dead);
  const byQueue = await t.queue(channel, { 'x-message-ttl': 200, ...lettersTo('', dead) });
  await send(channel, byQueue, 'queue');
  assert.deepEqual(deaths(await receive(inbox, 'queue')), [[1, 'expired', byQueue, '']]);

  const byMessage = await t.queue(channel, lettersTo('', dead));
  await send(channel, byMessage, 'message', { expiration: '200' });
  const message = await receive(inbox, 'message');
  assert.deepEqual(deaths(message), [[1, 'expired', byMessage, '']]);
  assert.equal(message.headers['x-death'][0]['original-expiration'], '200');
  assert.equal(message.expiration, undefined);

  const expiring = await t.queue(channel, { 'x-expires': 300 });
  let returned = false;
  channel.on('basic.return', () => { returned = true; });
  await until('a return: the queue has expired', async () => {
    await send(channel, expiring, 'x', { mandatory: true });
    return returned;
  });
  await gone(t, expiring, (ch) => ready(ch, expiring));
});

story('priorities', async (t) => {
  const channel = await t.channel(undefined, true);
  const queue = await t.queue(channel, { 'x-max-priority': 10 });
  const priorities = { a: 1, b: 5, c: 3, d: undefined, e: 10, f: 5 };
  for (const [body, priority] of Object.entries(priorities)) await send(channel, queue, body, { priority });
  await channel.basicQos({ prefetchCount: 1 });
  const inbox = await consume(channel, queue);
  for (const body of ['e', 'b', 'f', 'c', 'a', 'd']) {
    const { priority, deliveryTag } = await receive(inbox, body);
    assert.equal(priority, priorities[body]);
    channel.basicAck({ deliveryTag });
  }
});

story('rpc-direct-reply-to', async (t) => {
  const serving = await t.connect();
  const queue = t.queueName();
  const replyTos = [];
  const server = serving.createConsumer({ queue, queueOptions: { durable: true } }, async (request, reply) => {
    replyTos.push(request.replyTo);
    await reply(request.body.toUpperCase());
  });
  await event(server, 'ready');
  const client = (await t.connect()).createRPCClient({ confirm: true, timeout: 5000 });
  const answers = await Promise.all(['one', 'two', 'three'].map((id) => client.send(queue, `hello ${id}`)));
  assert.deepEqual(answers.map(({ body }) => body), ['HELLO ONE', 'HELLO TWO', 'HELLO THREE']);
  for (const replyTo of replyTos) assert.match(replyTo, /^amq\.rabbitmq\.reply-to\../);
  await client.close();
  await server.close();
});

story('exclusive-auto-delete', async (t) => {
  const channel = await t.channel();
  const owner = await t.connect();
  const owning = await t.channel(owner);
  const exclusive = await t.queue(owning, {}, { exclusive: true, durable: false });
  await refused(t, 'RESOURCE_LOCKED', 'RESOURCE_LOCKED', (ch) => ready(ch, exclusive));
  await owning.close();
  await owner.close();
  await missing(t, (ch) => ready(ch, exclusive));

  const fleeting = await t.queue(channel, {}, { autoDelete: true });
  const { consumerTag } = await consume(channel, fleeting);
  await channel.basicCancel(consumerTag);
  await gone(t, fleeting, (ch) => ready(ch, fleeting));

  const queue = await t.queue(channel);
  const exchange = await t.exchange(channel, 'direct', { autoDelete: true });
  await channel.queueBind({ queue, exchange, routingKey: 'key' });
  await channel.queueUnbind({ queue, exchange, routingKey: 'key' });
  await gone(t, exchange, (ch) => ch.exchangeDeclare({ exchange, passive: true }));
});

story('large-body', async (t) => {
  for (const frameMax of [8192, 131072]) { // the library's default and the broker's
    const channel = await t.channel(await t.connect(AMQP_URL, { frameMax }), true);
    const queue = await t.queue(channel);
    const sizes = [0, 1, frameMax - 9, frameMax - 8, frameMax - 7, frameMax, 131064, 10 * 1024 * 1024];
    const bodies = sizes.map((size) => crypto.randomBytes(size));
    for (const body of bodies) await channel.basicPublish(queue, body);
    const inbox = await consume(channel, queue, { noAck: true });
    for (const body of bodies) {
      const got = (await inbox.next()).body;
      assert.ok(body.equals(got), `a body of ${body.length} bytes came back changed, with ${got.length} bytes`);
    }
  }
});

story('cancel-notification', async (t) => {
  const channel = await t.channel();
  const queue = await t.queue(channel);
  const { consumerTag } = await consume(channel, queue);
  const cancelled = event(channel, 'basic.cancel');
  await (await t.channel()).queueDelete(queue);
  const [tag, error] = await cancelled;
  assert.deepEqual([tag, error.code], [consumerTag, 'CANCEL_FORCED']);
  await channel.queueDeclare({ exclusive: true });

  const connection = await t.connect();
  const consumer = connection.createConsumer({ queue, queueOptions: { durable: true } }, () => {});
  consumer.on('error', () => {});
  await event(consumer, 'ready');
  const back = event(consumer, 'ready');
  await channel.queueDelete(queue);
  await back; // the high-level consumer declares the queue again
  await consumer.close();
});

story('errors', async (t) => {
  const connection = await t.connect();
  const at = `in vhost '${vhost()}'`;
  const nowhere = unique('missing');
  await refused(t, 'NOT_FOUND', `NOT_FOUND - no queue '${nowhere}' ${at}`,
    (ch) => ch.basicConsume({ queue: nowhere }, () => {}));
  const queue = await t.queue(await t.channel());
  await refused(t, 'PRECONDITION_FAILED',
    `PRECONDITION_FAILED - inequivalent arg 'durable' for queue '${queue}' ${at}: received 'false' but current is 'true'`,
    (ch) => ch.queueDeclare({ queue, durable: false }));
  await refused(t, 'ACCESS_REFUSED', `ACCESS_REFUSED - deletion of system exchange 'amq.direct' ${at} not allowed`,
    (ch) => ch.exchangeDelete({ exchange: 'amq.direct' }));
  const exclusive = await t.queue(await t.channel(await t.connect()), {}, { exclusive: true });
  await refused(t, 'RESOURCE_LOCKED',
    `RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '${exclusive}' ${at}`, (ch) => ready(ch, exclusive));

  const connectionError = async (changes) => {
    const refusedConnection = new Connection(variant(changes));
    try {
      return (await event(refusedConnection, 'error'))[0];
    } finally {
      refusedConnection.unsafeDestroy();
    }
  };
  check(await connectionError({ pathname: `/${nowhere}` }), 'NOT_ALLOWED', `NOT_ALLOWED - vhost ${nowhere} not found`);
  check(await connectionError({ username: 'conformance-nobody', password: nowhere }), 'ACCESS_REFUSED',
    'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.');

  await (await t.channel(connection)).queueDeclare({ exclusive: true });
});

story('heartbeat-loss', async (t) => {
  const connection = await t.connect(proxyUrl('?heartbeat=1'));
  const channel = await t.channel(connection);
  await consume(channel, await t.queue(channel));
  const lost = event(connection, 'error', 120_000);
  const closed = event(channel, 'close', 120_000);
  const early = await Promise.race([lost, pause(3000)]); // idle for three heartbeats
  assert.equal(early, undefined, 'lost while nothing was wrong');
  await proxy('freeze');
  try {
    const [error] = await within(WAIT_DEADLINE, 'notice of the lost connection', lost);
    assert.equal(error.code, 'SOCKET_TIMEOUT');
    await closed;
  } finally {
    await proxy('thaw');
  }
});

story('reconnect', async (t) => {
  const queue = t.queueName();
  const connection = await t.connect(proxyUrl());
  const inbox = new Inbox();
  const consumer = connection.createConsumer({ queue, queueOptions: { durable: true }, qos: { prefetchCount: 10 } },
    (message) => {
      inbox.push(message);
      // b stays unacknowledged when it comes the first time
      if (text(message) === 'b' && !message.redelivered) return new Promise((resolve) => connection.once('error', resolve));
    });
  consumer.on('error', () => {}); // b cannot be acknowledged on the lost channel
  const publisher = connection.createPublisher({ confirm: true, maxAttempts: 5 });
  await event(consumer, 'ready');
  await publisher.send(queue, 'a');
  await publisher.send(queue, 'b');
  await receive(inbox, 'a');
  await receive(inbox, 'b');
  await until('a is acknowledged', () => consumer.stats.acknowledged === 1);
  await ready(await t.channel(connection), queue); // behind that ack on the connection
  const back = event(consumer, 'ready');
  const lost = event(connection, 'error');
  await proxy('cut');
  await lost;
  await back;
  assert.equal((await receive(inbox, 'b')).redelivered, true);
  await publisher.send(queue, 'c');
  await receive(inbox, 'c');
  await until('all are acknowledged', () => consumer.stats.acknowledged === 3);
  assert.equal(inbox.items.length, 0);
  await consumer.close();
  await publisher.close();
});

story('channels-1000', async (t) => {
  const connection = await t.connect();
  const first = await t.channel(connection);
  const queue = await t.queue(first);
  const channels = await Promise.all(Array.from({ length: 1000 }, () => t.channel(connection)));
  await Promise.all(channels.map((channel) => ready(channel, queue)));
  await Promise.all(channels.map((channel, i) => send(channel, queue, `${i}`)));
  const inbox = await consume(first, queue, { noAck: true });
  const got = texts(await inbox.take(channels.length)).map(Number).sort((a, b) => a - b);
  assert.deepEqual(got, channels.map((_, i) => i));
  await Promise.all([first, ...channels].map((channel) => channel.close()));
  await connection.close();
});

story('tx', async (t) => {
  const watcher = await t.channel();
  let channel = await t.channel();
  const queue = await t.queue(channel);
  const takeBoth = async () => {
    const inbox = await consume(channel, queue);
    for (const body of ['1', '2']) channel.basicAck({ deliveryTag: (await receive(inbox, body)).deliveryTag });
  };
  await channel.txSelect();
  await send(channel, queue, '1');
  await send(channel, queue, '2');
  assert.equal(await ready(channel, queue), 0);
  assert.equal(await ready(watcher, queue), 0);
  await channel.txCommit();
  await holds(watcher, queue, 2);
  await send(channel, queue, '3');
  await channel.txRollback();
  await holds(watcher, queue, 2);
  await takeBoth();
  await channel.txRollback();
  await channel.close();
  await holds(watcher, queue, 2);
  channel = await t.channel();
  await channel.txSelect();
  await takeBoth();
  await channel.txCommit();
  await channel.close();
  await holds(watcher, queue, 0);
});

story('headers-and-properties', async (t) => {
  const channel = await t.channel();
  const queue = await t.queue(channel);
  const inbox = await consume(channel, queue, { noAck: true });
  const receiveProperties = async () => {
    const { body, consumerTag, deliveryTag, redelivered, exchange, routingKey, ...properties } = await receive(inbox, 'x');
    return properties;
  };
  const properties = {
    contentType: 'application/x-thing', contentEncoding: 'utf-8', deliveryMode: 2, priority: 7, correlationId: 'c1',
    replyTo: 'r1', expiration: '60000', messageId: 'm1', timestamp: 1_700_000_000, type: 't1',
    userId: userName(), appId: 'a1', clusterId: 'k1',
    headers: {
      string: 'grüße', emptyString: '', bool: true, no: false, nothing: null, int8: -5, int16: -3000,
      int32: 2_000_000_000, int64: 9_000_000_000, double: 1.25, negative: -0.5,
      table: { inner: { innermost: [1, 'two', { three: 3 }] }, empty: {} }, array: ['a', 2, [true, null], { b: 1 }],
    },
  };
  await send(channel, queue, 'x', properties);
  assert.deepEqual(await receiveProperties(), { ...properties, durable: true });
  await send(channel, queue, 'x', { timestamp: undefined });
  assert.deepEqual(await receiveProperties(), { deliveryMode: 1, durable: false }); // the library always sends a mode
});

story('exchange-to-exchange', async (t) => {
  const channel = await t.channel();
  const a = await t.exchange(channel, 'fanout');
  const b = await t.exchange(channel, 'topic');
  const queue = await t.queue(channel);
  await channel.exchangeBind({ destination: b, source: a });
  await channel.queueBind({ queue, exchange: b, routingKey: 'k.#' });
  const inbox = await consume(channel, queue, { noAck: true });
  const publish = (exchange, key) => send(channel, key, key, { exchange });
  const arrives = async (exchange, key) => {
    const message = await receive(inbox, key);
    assert.deepEqual([message.exchange, message.routingKey], [exchange, key]);
  };
  await publish(a, 'k.1');
  await publish(a, 'other');
  await arrives(a, 'k.1');
  await channel.exchangeUnbind({ destination: b, source: a });
  await publish(a, 'k.2');
  await publish(b, 'k.3');
  await arrives(b, 'k.3');
});

story('get', async (t) => {
  const channel = await t.channel(undefined, true);
  const queue = await t.queue(channel);
  const take = async (body, messageCount, redelivered, noAck = false) => {
    const message = await channel.basicGet({ queue, noAck });
    assert.ok(message, 'the queue is empty');
    assert.deepEqual([text(message), message.messageCount, message.redelivered, message.exchange, message.routingKey],
      [body, messageCount, redelivered, '', queue]);
    return message.deliveryTag;
  };
  assert.equal(await channel.basicGet({ queue }), undefined);
  for (const body of ['1', '2', '3']) await send(channel, queue, body);
  const first = await take('1', 2, false);
  await take('2', 1, false, true);
  const third = await take('3', 0, false);
  channel.basicNack({ deliveryTag: first, requeue: true });
  channel.basicAck({ deliveryTag: third });
  channel.basicAck({ deliveryTag: await take('1', 0, true) });
  assert.equal(await channel.basicGet({ queue }), undefined);
});

main(open);
