// NestJS' transporter for RabbitMQ: services and clients in this process, which meet over the broker only. Decorators are called as
// functions, so that no compiler is needed.
'use strict';

require('reflect-metadata');
const assert = require('node:assert/strict');
const { NestFactory } = require('@nestjs/core');
const { Module } = require('@nestjs/common');
const { ClientProxyFactory, Ctx, EventPattern, MessagePattern, Payload, RpcException, RmqRecordBuilder, Transport } =
  require('@nestjs/microservices');
const { firstValueFrom, lastValueFrom, of, toArray } = require('rxjs');
const { AMQP_URL, Inbox, failure, main, proxy, proxyUrl, story, until } = require('../amqplib/harness');
const { open } = require('../support/session');

const decorate = (kind, method, decorator) => {
  const found = Object.getOwnPropertyDescriptor(kind.prototype, method);
  decorator(kind.prototype, method, found);
  Payload()(kind.prototype, method, 0);
  Ctx()(kind.prototype, method, 1);
};

/** A service with these handlers: `{ 'pattern': (data, context) => ... }`. */
async function service(s, options, messages, events = {}) {
  class Controller {}
  const all = [...Object.entries(messages).map((each) => [MessagePattern, ...each]), ...Object.entries(events).map((each) => [EventPattern, ...each])];
  all.forEach(([pattern, name, body], at) => {
    Object.defineProperty(Controller.prototype, `handler${at}`, { value: body, configurable: true, writable: true });
    decorate(Controller, `handler${at}`, pattern(name));
  });
  require('@nestjs/common').Controller()(Controller);
  class Application {}
  Module({ controllers: [Controller] })(Application);
  const running = await NestFactory.createMicroservice(Application, {
    transport: Transport.RMQ,
    options: { urls: [AMQP_URL], ...options },
    logger: false,
  });
  s.ending(() => running.close());
  await running.listen();
}

async function client(s, options) {
  const proxied = ClientProxyFactory.create({ transport: Transport.RMQ, options: { urls: [AMQP_URL], ...options } });
  proxied.logger = { log() {}, error() {}, warn() {} };
  s.ending(() => proxied.close());
  await proxied.connect();
  return proxied;
}

const ask = (from, pattern, data) => firstValueFrom(from.send(pattern, data));

story('request-reply', async (s) => {
  const queue = s.queue('nestjs');
  await service(s, { queue }, {
    sum: (numbers, context) => {
      assert.match(context.getMessage().properties.replyTo, /^amq\.rabbitmq\.reply-to\./);
      return numbers.reduce((a, b) => a + b, 0);
    },
    count: (n) => of(...Array(n).keys()),
    fail: () => { throw new RpcException('not today'); },
  });
  const asking = await client(s, { queue });
  assert.equal(await ask(asking, 'sum', [1, 2, 3]), 6);
  // Many at once, over the one pseudo-queue of the client's channel.
  const answers = await Promise.all([...Array(50).keys()].map((n) => ask(asking, 'sum', [n, n])));
  assert.deepEqual(answers, [...Array(50).keys()].map((n) => 2 * n));
  assert.deepEqual(await lastValueFrom(asking.send('count', 4).pipe(toArray())), [0, 1, 2, 3]);
  assert.match(String((await failure(ask(asking, 'fail', 1))).message ?? ''), /not today/);
});

story('reply-queue', async (s) => {
  // A queue of its own for replies, in place of the pseudo-queue.
  const [queue, replyQueue] = [s.queue('nestjs'), s.queue('nestjs-replies')];
  const channel = await s.channel();
  await channel.assertQueue(replyQueue, { durable: true });
  await service(s, { queue, queueOptions: { durable: true } }, {
    upper: (text, context) => {
      assert.equal(context.getMessage().properties.replyTo, replyQueue);
      return text.toUpperCase();
    },
  });
  const asking = await client(s, { queue, replyQueue, queueOptions: { durable: true } });
  assert.equal(await ask(asking, 'upper', 'abc'), 'ABC');
});

story('events', async (s) => {
  const queue = s.queue('nestjs');
  const got = new Inbox();
  await service(s, { queue }, {}, { created: (data, context) => got.push([data, context.getMessage().properties]) });
  const sending = await client(s, { queue, persistent: true });
  const record = new RmqRecordBuilder({ id: 7 }).setOptions({ headers: { tenant: 'a' }, priority: 3 }).build();
  await lastValueFrom(sending.emit('created', record));
  const [data, properties] = await got.next();
  assert.deepEqual(data, { id: 7 });
  assert.deepEqual([properties.headers, properties.priority, properties.deliveryMode], [{ tenant: 'a' }, 3, 2]);
});

story('acknowledgements', async (s) => {
  const [queue, dead] = [s.queue('nestjs'), s.queue('nestjs-dead')];
  const channel = await s.channel();
  await channel.assertQueue(dead, { durable: true });
  const queueOptions = { durable: true, arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead } };
  const got = new Inbox();
  await service(s, { queue, queueOptions, noAck: false, prefetchCount: 1 }, {}, {
    work: (data, context) => {
      const [message, on] = [context.getMessage(), context.getChannelRef()];
      if (data === 'bad') on.nack(message, false, false);
      else on.ack(message);
      got.push(data);
    },
  });
  const sending = await client(s, { queue, queueOptions });
  for (const data of ['good', 'bad', 'good again']) await lastValueFrom(sending.emit('work', data));
  // What nobody handles is refused by the framework itself.
  await lastValueFrom(sending.emit('unknown', 'lost'));
  assert.deepEqual(await got.take(3), ['good', 'bad', 'good again']);
  const died = await until('two dead letters', async () => (await channel.checkQueue(dead)).messageCount === 2 && [
    await channel.get(dead, { noAck: true }), await channel.get(dead, { noAck: true }),
  ]);
  assert.deepEqual(died.map((each) => JSON.parse(each.content).data), ['bad', 'lost']);
  assert.deepEqual(died.map((each) => each.properties.headers['x-death'][0].reason), ['rejected', 'rejected']);
});

story('wildcards', async (s) => {
  const exchange = s.exchange('nestjs');
  const got = new Inbox();
  const options = { wildcards: true, exchange, exchangeType: 'topic' };
  await service(s, { ...options, queue: s.queue('nestjs') }, {}, {
    'order.*': (data) => got.push(['order.*', data]),
    'audit.#': (data) => got.push(['audit.#', data]),
  });
  const sending = await client(s, { ...options, queue: exchange });
  for (const key of ['order.made', 'order.made.twice', 'audit.a.b.c']) await lastValueFrom(sending.emit(key, key));
  assert.deepEqual(await got.take(2), [['order.*', 'order.made'], ['audit.#', 'audit.a.b.c']]);
});

story('fanout', async (s) => {
  const exchange = s.exchange('nestjs');
  const options = { exchange, exchangeType: 'fanout', queueOptions: { exclusive: true } };
  const boxes = [new Inbox(), new Inbox()];
  // Queues that the broker names, one for each service.
  for (const box of boxes) await service(s, { ...options, queue: '' }, {}, { told: (data) => box.push(data) });
  const sending = await client(s, options);
  await lastValueFrom(sending.emit('told', 'all'));
  assert.deepEqual([await boxes[0].next(), await boxes[1].next()], ['all', 'all']);
});

story('reconnect', async (s) => {
  const queue = s.queue('nestjs');
  const options = { queue, urls: [proxyUrl()], socketOptions: { reconnectTimeInSeconds: 1 }, queueOptions: { durable: true } };
  await service(s, options, { echo: (data) => data });
  const asking = await client(s, options);
  assert.equal(await ask(asking, 'echo', 1), 1);
  await proxy('cut');
  // Requests that go out before both sides are back are lost, as the framework says.
  await until('it answers again', () => Promise.race([
    ask(asking, 'echo', 2).catch(() => null),
    new Promise((resolve) => setTimeout(resolve, 1000, null)),
  ]));
});

main(open);
