"""The stories of aio-pika (and aiormq below it), told with plain and robust connections.

Not offered by aio-pika:
  * the property cluster-id, and leaving out delivery-mode, priority and message-id (it always sends them): the
    story `headers-and-properties` goes without
  * the code and text of a refused virtual host: the story `errors` only sees that the broker closed
"""

import asyncio
import contextlib
import time
from datetime import datetime, timezone

import aio_pika
from aio_pika import Message
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    ChannelClosed,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    DeliveryError,
    InvalidFrameError,
    ProbableAuthenticationError,
    PublishError,
)
from aio_pika.patterns import RPC, Master
from aiormq.exceptions import ChannelAccessRefused, ChannelLockedResource

import suite
from suite import AMQP_URL, BODY_SIZES, USER, Failed, body_of, check, same, story, unique

DLX, DLK = "x-dead-letter-exchange", "x-dead-letter-routing-key"

# aio-pika tells the code of a channel's closure by the class of the error only.
CHANNEL_CODES = {
    ChannelAccessRefused: 403,
    ChannelNotFoundEntity: 404,
    ChannelLockedResource: 405,
    ChannelPreconditionFailed: 406,
}


class Session:
    """The connections of one story, and what it declares: both are gone at the end."""

    def __init__(self):
        self.connections, self.queues, self.exchanges = [], [], []

    async def connect(self, url=AMQP_URL, connect=aio_pika.connect, **options):
        connection = await connect(url, **options)
        self.connections.append(connection)
        return connection

    async def queue(self, channel, what="queue", durable=True, **options):
        name = unique(what)
        self.queues.append(name)
        return await channel.declare_queue(name, durable=durable, **options)

    async def exchange(self, channel, kind, **options):
        name = unique(kind)
        self.exchanges.append(name)
        return await channel.declare_exchange(name, kind, durable=True, **options)

    async def close(self):
        for connection in self.connections:
            with contextlib.suppress(*CONNECTION_EXCEPTIONS):
                await connection.close()
        async with await aio_pika.connect(AMQP_URL) as connection:
            channel = await connection.channel()
            for name in self.queues:
                await channel.queue_delete(name)
            for name in self.exchanges:
                await channel.exchange_delete(name)


class Consumer:
    """Collects deliveries, to be taken one by one."""

    @classmethod
    async def of(cls, channel, queue, **options):
        self = cls()
        self.channel, self.inbox = channel, asyncio.Queue()
        self.queue = await channel.get_queue(str_of(queue), ensure=False)
        self.tag = await self.queue.consume(self.inbox.put, **options)
        return self

    async def next(self):
        try:
            async with asyncio.timeout(suite.WAIT_SECONDS):
                return await self.inbox.get()
        except TimeoutError:
            raise Failed(f"no delivery within {suite.WAIT_SECONDS} s") from None

    async def take(self, count):
        return [await self.next() for _ in range(count)]

    async def bodies(self, count):
        return [message.body for message in await self.take(count)]

    async def nothing(self):
        """Nothing has come, seen from behind round trips on the channel."""
        for _ in range(2):  # a delivery is handed over by a task of its own
            await self.channel.set_qos(prefetch_count=0)
        check(self.inbox.empty(), "a delivery that was not due")


def str_of(queue):
    return queue if isinstance(queue, str) else queue.name


async def count(channel, queue):
    return (await channel.declare_queue(str_of(queue), passive=True)).declaration_result.message_count


async def eventually(what, probe, seconds=suite.WAIT_SECONDS):
    deadline = time.monotonic() + seconds
    while not (found := await probe()):
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds} s: {what}")
        await asyncio.sleep(0.02)
    return found


async def count_becomes(channel, queue, expected):
    async def reached():
        return await count(channel, queue) == expected

    await eventually(f"{expected} messages in {str_of(queue)}", reached)


async def send(channel, queue, body, exchange=None, mandatory=False, **properties):
    exchange = exchange or channel.default_exchange
    return await exchange.publish(Message(body, **properties), str_of(queue), mandatory=mandatory)


async def failure(kind, action):
    try:
        await action
    except kind as error:
        return error
    raise Failed(f"went well where {kind.__name__} was due")


async def closes(code, action):
    error = await failure(ChannelClosed, action)
    same(CHANNEL_CODES.get(type(error)), code, "code of the closure")
    return error.args[0]


@story("declare")
async def declare(s):
    connection = await s.connect()
    channel = await connection.channel()
    kinds = ("direct", "fanout", "topic", "headers")
    exchanges = [await s.exchange(channel, kind) for kind in kinds]
    for exchange, kind in zip(exchanges, kinds):
        await channel.declare_exchange(exchange.name, kind, durable=True)
        await channel.declare_exchange(exchange.name, kind, passive=True)

    queue = await s.queue(channel)
    for options in ({"durable": True}, {"passive": True}):
        ok = (await channel.declare_queue(queue.name, **options)).declaration_result
        same((ok.queue, ok.message_count, ok.consumer_count), (queue.name, 0, 0), "declare-ok")
    generated = (await channel.declare_queue(exclusive=True)).name
    check(generated.startswith("amq.gen-"), f"generated name {generated!r}")

    for body in (b"1", b"2", b"3"):
        await send(channel, queue, body)
    await count_becomes(channel, queue, 3)
    same((await queue.purge()).message_count, 3, "purge-ok")
    await count_becomes(channel, queue, 0)
    await queue.delete()
    await closes(404, (await connection.channel()).declare_queue(queue.name, passive=True))
    for exchange in exchanges:
        await exchange.delete()
    await closes(404, (await connection.channel()).declare_exchange(exchanges[0].name, passive=True))
    same(await count(channel, generated), 0, "the other channel goes on")


@story("bind")
async def bind(s):
    channel = await (await s.connect()).channel()
    topic, queue = await s.exchange(channel, "topic"), await s.queue(channel)
    for key in ("stock.*.nyse", "#.all"):
        await queue.bind(topic, key)
    consumer = await Consumer.of(channel, queue, no_ack=True)
    for key in ("stock.ibm.nyse", "stock.ibm.lse", "a.b.all"):
        await send(channel, key, key.encode(), topic)
    found = [(m.exchange, m.routing_key, m.body) for m in await consumer.take(2)]
    expected = [(topic.name, key, key.encode()) for key in ("stock.ibm.nyse", "a.b.all")]
    same(found, expected, "topic deliveries")

    await queue.unbind(topic, "#.all")
    await send(channel, "a.b.all", b"unbound", topic)
    await send(channel, "stock.sun.nyse", b"bound", topic)
    same(await consumer.bodies(1), [b"bound"], "after the unbind")
    await consumer.nothing()

    headers, queue = await s.exchange(channel, "headers"), await s.queue(channel)
    await queue.bind(headers, "", arguments={"x-match": "all", "a": 1, "b": "two"})
    consumer = await Consumer.of(channel, queue, no_ack=True)
    await send(channel, "", b"one", headers, headers={"a": 1})
    await send(channel, "", b"both", headers, headers={"a": 1, "b": "two", "c": True})
    same(await consumer.bodies(1), [b"both"], "headers deliveries")
    await consumer.nothing()

    fanout = await s.exchange(channel, "fanout")
    queues = [await s.queue(channel), await s.queue(channel)]
    for queue in queues:
        await queue.bind(fanout, "")
    await send(channel, "any", b"copy", fanout)
    for queue in queues:
        await count_becomes(channel, queue, 1)


@story("publish-consume")
async def publish_consume(s):
    connection = await s.connect()
    channel = await connection.channel(publisher_confirms=False)
    queue = await s.queue(channel)
    consumer = await Consumer.of(channel, queue)
    bodies = [f"message {n}".encode() for n in range(100)] + [b""]
    for body in bodies:
        await send(channel, queue, body, delivery_mode=2)
    for tag, expected in enumerate(bodies, 1):
        m = await consumer.next()
        found = (m.body, m.redelivered, m.exchange, m.routing_key, m.consumer_tag, m.delivery_tag, m.delivery_mode)
        same(found, (expected, False, "", queue.name, consumer.tag, tag, 2), "delivery")
        await m.ack()
    await consumer.queue.cancel(consumer.tag)
    await send(channel, queue, b"left")
    await count_becomes(channel, queue, 1)
    check(consumer.inbox.empty(), "delivered to a cancelled consumer")
    await connection.close()
    left = await count(await (await s.connect()).channel(), queue)
    same(left, 1, "messages left when all unacknowledged ones are back")


@story("confirms")
async def confirms(s):
    channel = await (await s.connect()).channel()
    queue = await s.queue(channel)
    await asyncio.gather(*(send(channel, queue, str(n).encode()) for n in range(50)))
    await count_becomes(channel, queue, 50)
    acked = await send(channel, unique("nowhere"), b"dropped")
    check(type(acked).__name__ == "Ack", f"{acked} instead of an ack")

    full = await s.queue(channel, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    await send(channel, full, b"fits")
    await failure(DeliveryError, send(channel, full, b"does not fit"))
    await count_becomes(channel, full, 1)


@story("mandatory-return")
async def mandatory_return(s):
    connection = await s.connect()
    channel = await connection.channel(on_return_raises=True)
    nowhere = unique("nowhere")
    returned = send(channel, nowhere, b"back", mandatory=True, message_id="id 1", headers={"own": "header"})
    message = (await failure(PublishError, returned)).message
    method, properties = message.delivery, message.header.properties
    found = (method.reply_code, method.reply_text, method.exchange, method.routing_key)
    same(found, (312, "NO_ROUTE", "", nowhere), "return")
    found = (message.body, properties.message_id, properties.headers)
    same(found, (b"back", "id 1", {"own": "header"}), "returned message")
    queue = await s.queue(channel)
    await send(channel, queue, b"stays", mandatory=True)  # raises if returned
    await count_becomes(channel, queue, 1)

    channel, returns = await connection.channel(), asyncio.Queue()
    channel.return_callbacks.add(lambda _, message: returns.put_nowait(message.body))
    await send(channel, nowhere, b"callback", mandatory=True)
    async with asyncio.timeout(suite.WAIT_SECONDS):
        same(await returns.get(), b"callback", "return handed to the callback")


@story("prefetch")
async def prefetch(s):
    channel = await (await s.connect()).channel()
    queue = await s.queue(channel)
    bodies = [str(n).encode() for n in range(10)]
    for body in bodies:
        await send(channel, queue, body)
    await channel.set_qos(prefetch_count=3)
    consumer = await Consumer.of(channel, queue)

    async def exactly(deliveries, ready):
        taken = await consumer.take(deliveries)
        await count_becomes(channel, queue, ready)
        await count(channel, queue)  # a delivery is handed over by a task of its own
        check(consumer.inbox.empty(), f"more than {deliveries} deliveries")
        return taken

    taken = await exactly(3, 7)
    await taken[0].ack()
    taken += await exactly(1, 6)
    await taken[3].ack(multiple=True)
    taken += await exactly(3, 3)
    for message in taken[4:]:
        await message.ack()
    taken += await exactly(3, 0)
    await taken[-1].ack(multiple=True)
    same([message.body for message in taken], bodies, "bodies")


@story("nack-requeue")
async def nack_requeue(s):
    connection = await s.connect()
    channel = await connection.channel()
    queue = await s.queue(channel)
    for body in (b"a", b"b", b"c"):
        await send(channel, queue, body)
    consumer = await Consumer.of(channel, queue)

    async def exactly(expected, redelivered):
        taken = await consumer.take(len(expected))
        same([(m.body, m.redelivered) for m in taken], [(body, redelivered) for body in expected], "deliveries")
        return taken

    _, b, c = await exactly([b"a", b"b", b"c"], False)
    await b.nack(requeue=True)
    await exactly([b"b"], True)
    await c.reject(requeue=True)
    (last,) = await exactly([b"c"], True)
    await last.nack(multiple=True, requeue=True)
    for message in await exactly([b"a", b"b", b"c"], True):
        await message.nack(requeue=False)
    await consumer.nothing()
    await connection.close()
    same(await count(await (await s.connect()).channel(), queue), 0, "messages left")


@story("dead-letter")
async def dead_letter(s):
    channel = await (await s.connect()).channel()
    dlx, dead = await s.exchange(channel, "direct"), await s.queue(channel, "dead")
    await dead.bind(dlx, "dead")
    work = await s.queue(channel, "work", arguments={DLX: dlx.name, DLK: "dead"})
    workers, undertaker = await Consumer.of(channel, work), await Consumer.of(channel, dead, no_ack=True)
    await send(channel, work, b"doomed", headers={"own": "header"})
    await (await workers.next()).reject(requeue=False)
    message = await undertaker.next()
    found = (message.exchange, message.routing_key, message.body, message.headers["own"])
    same(found, (dlx.name, "dead", b"doomed", "header"), "dead letter")
    suite.same_deaths(message.headers["x-death"], [(work.name, "rejected", 1, "", [work.name])], time.time())
    for which in ("first", "last"):
        found = [message.headers[f"x-{which}-death-{key}"] for key in ("reason", "queue", "exchange")]
        same(found, ["rejected", work.name, ""], f"{which} death")

    wait, work = unique("wait"), unique("work")
    s.queues += [wait, work]
    await channel.declare_queue(work, durable=True, arguments={DLX: "", DLK: wait})
    await channel.declare_queue(wait, durable=True, arguments={DLX: "", DLK: work, "x-message-ttl": 100})
    workers = await Consumer.of(channel, work)
    await send(channel, work, b"again")
    first = await workers.next()
    check("x-death" not in first.headers, "x-death before any death")
    await first.reject(requeue=False)
    await (await workers.next()).reject(requeue=False)
    third = await workers.next()
    same(third.body, b"again", "body")
    expected = [(wait, "expired", 2, "", [wait]), (work, "rejected", 2, "", [work])]
    suite.same_deaths(third.headers["x-death"], expected, time.time())
    for which, reason, queue in (("first", "rejected", work), ("last", "expired", wait)):
        found = [third.headers[f"x-{which}-death-{key}"] for key in ("reason", "queue")]
        same(found, [reason, queue], f"{which} death")


@story("ttl")
async def ttl(s):
    connection = await s.connect()
    channel = await connection.channel()
    dead = await s.queue(channel, "dead")
    undertaker = await Consumer.of(channel, dead, no_ack=True)
    short = await s.queue(channel, "short", arguments={"x-message-ttl": 200, DLX: "", DLK: dead.name})
    await send(channel, short, b"queue ttl")
    message = await undertaker.next()
    same(message.body, b"queue ttl", "body")
    suite.same_deaths(message.headers["x-death"], [(short.name, "expired", 1, "", [short.name])], time.time())

    long = await s.queue(channel, "long", arguments={DLX: "", DLK: dead.name})
    await send(channel, long, b"message ttl", expiration=0.2)
    message = await undertaker.next()
    death = message.headers["x-death"][0]
    found = (message.body, message.expiration, death["reason"], death["original-expiration"])
    same(found, (b"message ttl", None, "expired", "200"), "expired message")

    passing = await s.queue(channel, "passing", arguments={"x-expires": 300})
    raising = await connection.channel(on_return_raises=True)

    async def gone():
        try:
            await send(raising, passing, b"there?", mandatory=True)
        except PublishError:
            return True
        except DeliveryError:  # it is just going
            return False

    await eventually("the queue expires", gone)
    await closes(404, raising.declare_queue(passing.name, passive=True))


@story("priorities")
async def priorities(s):
    channel = await (await s.connect()).channel()
    queue = await s.queue(channel, arguments={"x-max-priority": 10})
    sent = {b"a": 1, b"b": 5, b"c": 3, b"d": None, b"e": 10, b"f": 5}
    for body, priority in sent.items():
        await send(channel, queue, body, priority=priority)
    await channel.set_qos(prefetch_count=1)
    consumer = await Consumer.of(channel, queue)
    found = []
    for _ in sent:
        message = await consumer.next()
        found.append((message.body, message.priority))
        await message.ack()
    same(found, [(body, sent[body] or 0) for body in (b"e", b"b", b"f", b"c", b"a", b"d")], "order")


@story("rpc-direct-reply-to")
async def rpc(s):
    connection = await s.connect()
    serving = await connection.channel()
    asking = await connection.channel(publisher_confirms=False)
    queue = await s.queue(serving)
    server = await Consumer.of(serving, queue, no_ack=True)
    answers = await Consumer.of(asking, "amq.rabbitmq.reply-to", no_ack=True)
    for n in range(3):
        body = f"ask {n}".encode()
        await send(asking, queue, body, reply_to="amq.rabbitmq.reply-to", correlation_id=str(n))
    for m in await server.take(3):
        check(m.reply_to.startswith("amq.rabbitmq.reply-to."), f"reply-to {m.reply_to!r}")
        await send(serving, m.reply_to, m.body.upper(), correlation_id=m.correlation_id)
    found = [(message.body, message.correlation_id) for message in await answers.take(3)]
    same(found, [(f"ASK {n}".encode(), str(n)) for n in range(3)], "answers")


@story("exclusive-auto-delete")
async def exclusive_auto_delete(s):
    owner, other = await s.connect(), await s.connect()
    queue = await (await owner.channel()).declare_queue(unique("exclusive"), exclusive=True)
    await closes(405, (await other.channel()).declare_queue(queue.name, passive=True))
    await owner.close()
    await closes(404, (await other.channel()).declare_queue(queue.name, passive=True))

    async def gone(declare):
        """A declare closes its channel when what it looks for is gone."""
        try:
            await declare(await other.channel())
        except ChannelNotFoundEntity:
            return True

    channel = await other.channel()
    queue = await s.queue(channel, auto_delete=True)
    await queue.cancel(await queue.consume(print))
    await eventually("the auto-delete queue goes", lambda: gone(lambda c: c.declare_queue(queue.name, passive=True)))

    exchange, bound = await s.exchange(channel, "direct", auto_delete=True), await s.queue(channel)
    await bound.bind(exchange, "key")
    await bound.unbind(exchange, "key")
    await eventually(
        "the auto-delete exchange goes", lambda: gone(lambda c: c.declare_exchange(exchange.name, passive=True))
    )


@story("large-body")
async def large_body(s):
    channel = await (await s.connect()).channel()
    queue = await s.queue(channel)
    consumer = await Consumer.of(channel, queue, no_ack=True)
    for size in BODY_SIZES:
        await send(channel, queue, body_of(size))
    for size in BODY_SIZES:
        body = (await consumer.next()).body
        same(len(body), size, "size of the body")
        check(body == body_of(size), f"the body of {size} bytes came back different")


@story("cancel-notification")
async def cancel_notification(s):
    connection = await s.connect()
    channel, cancelled = await connection.channel(), asyncio.Queue()
    queue = await s.queue(channel)
    consumer = await Consumer.of(channel, queue)
    (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(cancelled.put_nowait)
    await (await connection.channel()).queue_delete(queue.name)
    async with asyncio.timeout(suite.WAIT_SECONDS):
        same((await cancelled.get()).consumer_tag, consumer.tag, "cancelled tag")
    await channel.declare_queue(exclusive=True)


@story("errors")
async def errors(s):
    connection, stranger = await s.connect(), await s.connect()
    channel = await connection.channel()
    queue, vhost, missing = await s.queue(channel), unique("missing"), unique("missing")
    locked = await channel.declare_queue(unique("exclusive"), exclusive=True)
    expected = suite.errors(missing, locked.name, vhost)
    expected["redeclare"] = suite.errors(queue.name, locked.name, vhost)["redeclare"]

    mistakes = {
        "consume": Consumer.of(await connection.channel(), missing),
        "redeclare": (await connection.channel()).declare_queue(queue.name, durable=False),
        "delete": (await connection.channel()).exchange_delete("amq.direct"),
        "exclusive": (await stranger.channel()).declare_queue(locked.name, passive=True),
    }
    for what, mistake in mistakes.items():
        suite.same_error(expected[what][0], await closes(expected[what][0], mistake), expected[what], what)

    error = await failure(InvalidFrameError, s.connect(suite.variant(vhost=vhost)))
    check("got <Connection.Close" in str(error), f"missing virtual host: {error}")
    nobody = suite.variant(user="conformance-nobody", password="wrong")
    error = await failure(ProbableAuthenticationError, s.connect(nobody))  # the error holds no code
    suite.same_error(403, error.args[0], expected["login"], "login")
    same(await count(channel, queue), 0, "the first connection still works")


@story("heartbeat-loss")
async def heartbeat_loss(s):
    connection, closed = await s.connect(suite.proxy_url(), heartbeat=1), asyncio.Event()
    connection.close_callbacks.add(lambda *_: closed.set())
    channel = await connection.channel()
    queue = await s.queue(channel)
    await Consumer.of(channel, queue)
    await asyncio.sleep(3.5)  # idle, but for the heartbeats
    same(await count(channel, queue), 0, "a round trip after the idle time")
    suite.proxy("freeze")
    try:
        async with asyncio.timeout(suite.WAIT_SECONDS):
            await closed.wait()
    finally:
        suite.proxy("thaw")


@story("reconnect")
async def reconnect(s):
    """connect_robust recovers by itself: the queue, the consumer, the prefetch count."""
    connection = await s.connect(suite.proxy_url(), aio_pika.connect_robust, reconnect_interval=0.1)
    lost, back = asyncio.Event(), asyncio.Event()
    connection.close_callbacks.add(lambda *_: lost.set())
    connection.reconnect_callbacks.add(lambda *_: back.set())
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=10)
    queue, inbox = await s.queue(channel), asyncio.Queue()
    await queue.consume(inbox.put)
    await send(channel, queue, b"a")
    await send(channel, queue, b"b")
    async with asyncio.timeout(20):
        await (await inbox.get()).ack()
        await inbox.get()
        await count_becomes(channel, queue, 0)  # behind the ack
        suite.proxy("cut")
        await lost.wait()
        await back.wait()
        await channel.ready()
        message = await inbox.get()
        same((message.body, message.redelivered), (b"b", True), "redelivery")
        await send(channel, queue, b"c")
        same((await inbox.get()).body, b"c", "what follows")


@story("reconnect-exclusive")
async def reconnect_exclusive(s):
    """connect_robust declares and binds an exclusive queue and an auto-delete exchange again, under their names."""
    connection = await s.connect(suite.proxy_url(), aio_pika.connect_robust, reconnect_interval=0.1)
    channel, back = await connection.channel(), asyncio.Event()
    connection.reconnect_callbacks.add(lambda *_: back.set())
    exchange = await channel.declare_exchange(unique("topic"), "topic", auto_delete=True)
    queue, inbox = await channel.declare_queue(unique("exclusive"), exclusive=True), asyncio.Queue()
    await queue.bind(exchange, "k.#")
    await queue.consume(inbox.put, no_ack=True)
    for cut in range(3):
        async with asyncio.timeout(10):
            suite.proxy("cut")
            await back.wait()
            back.clear()
            await channel.ready()
            await send(channel, f"k.{cut}", str(cut).encode(), exchange)
            same((await inbox.get()).body, str(cut).encode(), "message after a cut")


@story("channels-1000")
async def channels_1000(s):
    connection = await s.connect()
    queue = await s.queue(await connection.channel())
    channels = [await connection.channel(publisher_confirms=False) for _ in range(1000)]

    async def round_trip(n, channel):
        await count(channel, queue)
        await send(channel, queue, str(n).encode())

    await asyncio.gather(*(round_trip(n, channel) for n, channel in enumerate(channels)))
    consumer = await Consumer.of(await connection.channel(), queue, no_ack=True)
    same(sorted(int(body) for body in await consumer.bodies(1000)), list(range(1000)), "messages")
    await asyncio.gather(*(channel.close() for channel in channels))


@story("tx")
async def tx(s):
    connection = await s.connect()
    channel, other = await connection.channel(publisher_confirms=False), await connection.channel()
    queue = await s.queue(channel)
    transaction = channel.transaction()
    await transaction.select()
    await send(channel, queue, b"1")
    await send(channel, queue, b"2")
    same(await count(channel, queue), 0, "messages before the commit")
    same(await count(other, queue), 0, "messages before the commit, elsewhere")
    await transaction.commit()
    await count_becomes(other, queue, 2)
    await send(channel, queue, b"dropped")
    await transaction.rollback()
    same(await count(other, queue), 2, "messages after the rollback")

    async def consume_and_ack(channel):
        transaction = channel.transaction()
        await transaction.select()
        taken = await (await Consumer.of(channel, queue)).take(2)
        same([message.body for message in taken], [b"1", b"2"], "messages")
        await taken[-1].ack(multiple=True)
        return transaction

    await (await consume_and_ack(channel)).rollback()
    await channel.close()
    await count_becomes(other, queue, 2)
    channel = await connection.channel(publisher_confirms=False)
    await (await consume_and_ack(channel)).commit()
    await connection.close()
    same(await count(await (await s.connect()).channel(), queue), 0, "messages after the acks were committed")


HEADERS = {
    "string": "héllo wörld ✓",
    "empty": "",
    "int8": 42,
    "int16": -30000,
    "int16 unsigned": 60000,
    "int32": -(2**31),
    "int32 unsigned": 2**32 - 1,
    "int64": 2**62,
    "float": 1.5,
    "true": True,
    "false": False,
    "void": None,
    "bytes": bytearray(b"\x00\xff"),
    "timestamp": datetime.fromtimestamp(1700000000, timezone.utc),
    "table": {"inner": {"deep": "value", "n": 1}, "nothing": {}},
    "array": ["a", 1, True, None, {"in": "array"}, ["nested"], []],
}


@story("headers-and-properties")
async def headers_and_properties(s):
    channel = await (await s.connect()).channel()
    queue = await s.queue(channel)
    sent = {
        "content_type": "application/json",
        "content_encoding": "gzip",
        "headers": HEADERS,
        "delivery_mode": 2,
        "priority": 7,
        "correlation_id": "correlation",
        "reply_to": "reply",
        "expiration": 60.0,
        "message_id": "message",
        "timestamp": datetime.fromtimestamp(1700000000, timezone.utc),
        "type": "kind",
        "user_id": USER,
        "app_id": "app",
    }
    await send(channel, queue, b"all", **sent)
    await send(channel, queue, b"none")
    consumer = await Consumer.of(channel, queue, no_ack=True)
    none = dict.fromkeys(sent) | {"headers": {}, "delivery_mode": 1, "priority": 0}
    del none["message_id"]
    for expected in (sent, none):
        message = await consumer.next()
        for name, value in expected.items():
            same(getattr(message, name), value, name)


@story("exchange-to-exchange")
async def exchange_to_exchange(s):
    channel = await (await s.connect()).channel()
    a, b = await s.exchange(channel, "fanout"), await s.exchange(channel, "topic")
    queue = await s.queue(channel)
    await b.bind(a, "")
    await queue.bind(b, "k.#")
    consumer = await Consumer.of(channel, queue, no_ack=True)
    await send(channel, "k.1", b"", a)
    await send(channel, "other", b"", a)
    await b.unbind(a, "")
    await send(channel, "k.2", b"", a)
    await send(channel, "k.3", b"", b)
    found = [(message.exchange, message.routing_key) for message in await consumer.take(2)]
    same(found, [(a.name, "k.1"), (b.name, "k.3")], "deliveries")
    await consumer.nothing()


@story("get")
async def get(s):
    channel = await (await s.connect()).channel()
    queue = await s.queue(channel)
    same(await queue.get(fail=False), None, "get from an empty queue")
    for body in (b"1", b"2", b"3"):
        await send(channel, queue, body)
    await count_becomes(channel, queue, 3)

    async def take(expected, left, redelivered=False, no_ack=False):
        m = await queue.get(no_ack=no_ack)
        found = (m.body, m.message_count, m.exchange, m.routing_key, m.redelivered)
        same(found, (expected, left, "", queue.name, redelivered), "get-ok")
        return m

    first = await take(b"1", 2)
    await take(b"2", 1, no_ack=True)
    third = await take(b"3", 0)
    await first.nack(requeue=True)
    await third.ack()
    await (await take(b"1", 0, redelivered=True)).ack()
    same(await queue.get(fail=False), None, "get from the emptied queue")


@story("queue-iterator")
async def queue_iterator(s):
    """The iterator over a queue: leaving it early gives back what had been prefetched."""
    channel = await (await s.connect()).channel()
    queue = await s.queue(channel)
    for n in range(10):
        await send(channel, queue, str(n).encode())
    seen = []
    async with queue.iterator() as messages:
        async for message in messages:
            async with message.process():
                seen.append(message.body)
            if len(seen) == 4:
                break
    same(seen, [b"0", b"1", b"2", b"3"], "what was iterated over")
    await count_becomes(channel, queue, 6)


@story("patterns")
async def patterns(s):
    """The library's own RPC and Master/Worker, over queues it declares."""
    connection = await s.connect(connect=aio_pika.connect_robust)
    channel = await connection.channel()
    calls = await RPC.create(channel)
    name = unique("multiply")

    async def multiply(*, x, y):
        return x * y

    await calls.register(name, multiply, auto_delete=True)
    async with asyncio.timeout(suite.WAIT_SECONDS):
        found = await asyncio.gather(*(calls.call(name, {"x": n, "y": n}) for n in range(10)))
    same(found, [n * n for n in range(10)], "results of the calls")
    await calls.close()

    master, tasks, done = Master(channel), unique("tasks"), asyncio.Queue()
    s.queues.append(tasks)

    async def work(*, n):
        await done.put(n)

    worker = await master.create_worker(tasks, work, durable=True)
    for n in range(10):
        await master.create_task(tasks, {"n": n})
    async with asyncio.timeout(suite.WAIT_SECONDS):
        same(sorted([await done.get() for _ in range(10)]), list(range(10)), "tasks that were done")
    await worker.close()


def tell(body):
    async def within_session():
        session = Session()
        try:
            await body(session)
        finally:
            await session.close()

    asyncio.run(within_session())


suite.main(tell)
