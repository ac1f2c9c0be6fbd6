// amqp-connection-manager keeps a connection of amqplib alive, and sets channels up again; its own tests close connections over the
// management API, as these do.
'use strict';

const assert = require('node:assert/strict');
const { connect } = require('amqp-connection-manager');
const { AMQP_URL, Inbox, event, failure, main, proxy, proxyUrl, story, unique, until } = require('../amqplib/harness');
const { closeConnections, open } = require('../support/session');

function manage(s, url = AMQP_URL, options = {}) {
  const manager = connect([url], { reconnectTimeInSeconds: 1, ...options });
  manager.on('error', () => {}); // without a listener Node ends the process
  s.ending(() => manager.close());
  return manager;
}

story('sent-before-connected', async (s) => {
  const queue = s.queue('manager');
  const channel = manage(s).createChannel({ json: true, setup: (raw) => raw.assertQueue(queue, { durable: true }) });
  // Kept in memory until the channel is set up, then confirmed by the broker.
  assert.equal(await channel.sendToQueue(queue, { hello: 'world' }, { persistent: true }), true);
  const got = await until('it is there', async () => (await s.channel()).get(queue, { noAck: true }));
  assert.deepEqual(JSON.parse(got.content), { hello: 'world' });
});

async function outlives(s, manager, end) {
  const queue = s.queue('manager');
  const got = new Inbox();
  let times = 0;
  const channel = manager.createChannel({
    setup: async (raw) => {
      times++;
      await raw.assertQueue(queue, { durable: true });
      await raw.prefetch(10);
    },
  });
  await channel.consume(queue, (message) => {
    channel.ack(message);
    got.push(message.content.toString());
  });
  await channel.sendToQueue(queue, Buffer.from('before'), { persistent: true });
  assert.equal(await got.next(), 'before');
  const gone = event(manager, 'disconnect');
  await end();
  const [{ err }] = await gone;
  const sent = channel.sendToQueue(queue, Buffer.from('meanwhile'), { persistent: true });
  assert.equal(await got.nextBut('before'), 'meanwhile');
  await sent;
  assert.equal(times, 2);
  return err;
}

story('closed-over-the-api', async (s) => {
  const name = unique('manager');
  const manager = manage(s, AMQP_URL, { connectionOptions: { clientProperties: { connection_name: name } } });
  const error = await outlives(s, manager, async () => assert.equal(await closeConnections(name), 1));
  assert.equal(error.code, 320);
  assert.match(error.message, /CONNECTION_FORCED - Closed via management plugin/);
});

story('cut', async (s) => {
  await outlives(s, manage(s, proxyUrl()), () => proxy('cut'));
});

story('refused-setup', async (s) => {
  const queue = s.queue('manager');
  await (await s.channel()).assertQueue(queue, { durable: true });
  const channel = manage(s).createChannel({ setup: (raw) => raw.assertQueue(queue, { durable: true, maxLength: 1 }) });
  const [error] = await event(channel, 'error');
  assert.equal(error.code, 406);
  assert.match(error.message, /PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue/);
});

story('refused-publish', async (s) => {
  const queue = s.queue('manager');
  const full = { durable: true, maxLength: 1, arguments: { 'x-overflow': 'reject-publish' } };
  const channel = manage(s).createChannel({ setup: (raw) => raw.assertQueue(queue, full) });
  await channel.sendToQueue(queue, Buffer.from('first'));
  assert.match((await failure(channel.sendToQueue(queue, Buffer.from('second')))).message, /nacked/);
});

main(open);
