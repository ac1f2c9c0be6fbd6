// What the stories of the frameworks for Node share: one story's names and connections, which are gone after it, and the management API.
'use strict';

const amqplib = require('amqplib');
const { AMQP_URL, WAIT_DEADLINE, unique, until, within } = require('../amqplib/harness');

/** Asks the management API; gives status and, where there is one, the JSON of the answer. */
async function api(method, path, body) {
  const url = new URL(process.env.HTTP_URL);
  const login = Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`).toString('base64');
  const answer = await fetch(`${url.origin}/api/${path}`, {
    method,
    headers: { authorization: `Basic ${login}`, 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, json: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : null };
}

/** Closes the connections that have this name, as soon as the API lists one. RabbitMQ takes some seconds to list a connection. */
async function closeConnections(name) {
  const mine = (each) => each.client_properties?.connection_name === name;
  const found = await until(`the API lists a connection ${name}`, async () => {
    const { json } = await api('GET', 'connections');
    const named = json.filter(mine);
    return named.length ? named : null;
  });
  for (const each of found) await api('DELETE', `connections/${encodeURIComponent(each.name)}`);
  return found.length;
}

function open() {
  const queues = [];
  const exchanges = [];
  const endings = [];
  let plain;
  const context = {
    queue: (what) => queues[queues.push(unique(what)) - 1],
    exchange: (what) => exchanges[exchanges.push(unique(what)) - 1],
    /** Has this done at the end of the story; what came last first. */
    ending: (act) => endings.push(act),

    /** A channel of amqplib, without any framework. */
    async channel() {
      plain ??= await amqplib.connect(AMQP_URL);
      const channel = await plain.createChannel();
      channel.on('error', () => {}); // without a listener Node ends the process
      return channel;
    },

    async close() {
      for (const act of endings.reverse()) await within(WAIT_DEADLINE, 'end of what the story opened', Promise.resolve(act()).catch(() => {}));
      if (queues.length || exchanges.length) {
        const channel = await context.channel();
        for (const queue of queues) await channel.deleteQueue(queue);
        for (const exchange of exchanges) await channel.deleteExchange(exchange);
      }
      if (plain) await plain.close();
    },
  };
  return context;
}

module.exports = { api, closeConnections, open };
