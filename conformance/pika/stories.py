"""The stories of pika, told with its BlockingConnection, a few more with its SelectConnection.

Not offered by pika:
  * recovery of a lost connection: the story `reconnect` does it by hand
  * floating-point headers: the story `headers-and-properties` goes without
"""

import contextlib
import functools
import os
import ssl
import time
from collections import deque
from datetime import datetime, timezone

import pika
from pika.exceptions import (
    AMQPConnectionError,
    ChannelClosedByBroker,
    NackError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    UnroutableError,
)

import suite
from suite import AMQP_URL, BODY_SIZES, USER, Failed, NotOffered, body_of, check, eventually, same, story, unique

DLX, DLK = "x-dead-letter-exchange", "x-dead-letter-routing-key"


def parameters(url=AMQP_URL, **changes):
    found = pika.URLParameters(url)
    for name, value in changes.items():
        setattr(found, name, value)
    return found


class Session:
    """The connections of one story, and what it declares: both are gone at the end."""

    def __init__(self):
        self.connections, self.queues, self.exchanges = [], [], []

    def connect(self, *arguments, **changes):
        connection = pika.BlockingConnection(parameters(*arguments, **changes))
        self.connections.append(connection)
        return connection

    def queue(self, channel, what="queue", durable=True, **options):
        name = unique(what)
        self.queues.append(name)
        channel.queue_declare(name, durable=durable, **options)
        return name

    def exchange(self, channel, kind, **options):
        name = unique(kind)
        self.exchanges.append(name)
        channel.exchange_declare(name, kind, durable=True, **options)
        return name

    def close(self):
        for connection in self.connections:
            with contextlib.suppress(AMQPConnectionError):
                connection.close()
        with contextlib.suppress(AMQPConnectionError), pika.BlockingConnection(parameters()) as connection:
            channel = connection.channel()
            for name in self.queues:
                channel.queue_delete(name)
            for name in self.exchanges:
                channel.exchange_delete(name)


class Consumer:
    """Collects deliveries, to be taken one by one."""

    def __init__(self, channel, queue, **options):
        self.channel, self.inbox = channel, deque()
        self.tag = channel.basic_consume(queue, self.receive, **options)

    def receive(self, _channel, method, properties, body):
        self.inbox.append((method, properties, body))

    def next(self):
        deadline = time.monotonic() + suite.WAIT_SECONDS
        while not self.inbox:
            self.channel.connection.process_data_events(0.1)
            if not self.inbox and time.monotonic() > deadline:
                raise Failed(f"no delivery within {suite.WAIT_SECONDS} s")
        return self.inbox.popleft()

    def take(self, count):
        return [self.next() for _ in range(count)]

    def bodies(self, count):
        return [body for _, _, body in self.take(count)]

    def nothing(self):
        """Nothing has come, seen from behind a round trip on the channel."""
        self.channel.basic_qos(prefetch_count=0)
        check(not self.inbox, f"a delivery that was not due: {self.inbox}")


def count(channel, queue):
    return channel.queue_declare(queue, passive=True).method.message_count


def count_becomes(channel, queue, expected):
    eventually(f"{expected} messages in {queue}", lambda: count(channel, queue) == expected)


def send(channel, queue, body, exchange="", mandatory=False, **properties):
    channel.basic_publish(exchange, queue, body, pika.BasicProperties(**properties), mandatory)


def confirming(connection):
    channel = connection.channel()
    channel.confirm_delivery()
    return channel


@contextlib.contextmanager
def closes(code, what, kind=ChannelClosedByBroker):
    try:
        yield
    except kind as error:
        same(error.reply_code, code, f"code of {what}")
    else:
        raise Failed(f"{what} went well where {code} was due")


def failure(kind, action):
    try:
        action()
    except kind as error:
        return error
    raise Failed(f"went well where {kind.__name__} was due")


@story("declare")
def declare(s):
    connection = s.connect()
    channel = confirming(connection)
    exchanges = [s.exchange(channel, kind) for kind in ("direct", "fanout", "topic", "headers")]
    for name, kind in zip(exchanges, ("direct", "fanout", "topic", "headers")):
        channel.exchange_declare(name, kind, durable=True)
        channel.exchange_declare(name, kind, passive=True)

    name = s.queue(channel)
    for options in ({"durable": True}, {"passive": True}):
        ok = channel.queue_declare(name, **options).method
        same((ok.queue, ok.message_count, ok.consumer_count), (name, 0, 0), "declare-ok")
    generated = channel.queue_declare("", exclusive=True).method.queue
    check(generated.startswith("amq.gen-"), f"generated name {generated!r}")

    for body in (b"1", b"2", b"3"):
        send(channel, name, body)
    count_becomes(channel, name, 3)
    same(channel.queue_purge(name).method.message_count, 3, "purge-ok")
    count_becomes(channel, name, 0)
    channel.queue_delete(name)
    with closes(404, "passive declare of a deleted queue"):
        connection.channel().queue_declare(name, passive=True)
    for exchange in exchanges:
        channel.exchange_delete(exchange)
    with closes(404, "passive declare of a deleted exchange"):
        connection.channel().exchange_declare(exchanges[0], "direct", passive=True)
    same(count(channel, generated), 0, "the other channel goes on")


@story("bind")
def bind(s):
    channel = confirming(s.connect())
    topic, queue = s.exchange(channel, "topic"), s.queue(channel)
    for key in ("stock.*.nyse", "#.all"):
        channel.queue_bind(queue, topic, key)
    consumer = Consumer(channel, queue, auto_ack=True)
    for key in ("stock.ibm.nyse", "stock.ibm.lse", "a.b.all"):
        send(channel, key, key.encode(), topic)
    found = [(method.exchange, method.routing_key, body) for method, _, body in consumer.take(2)]
    same(found, [(topic, "stock.ibm.nyse", b"stock.ibm.nyse"), (topic, "a.b.all", b"a.b.all")], "topic deliveries")

    channel.queue_unbind(queue, topic, "#.all")
    send(channel, "a.b.all", b"unbound", topic)
    send(channel, "stock.sun.nyse", b"bound", topic)
    same(consumer.bodies(1), [b"bound"], "after the unbind")
    consumer.nothing()

    headers, queue = s.exchange(channel, "headers"), s.queue(channel)
    channel.queue_bind(queue, headers, arguments={"x-match": "all", "a": 1, "b": "two"})
    consumer = Consumer(channel, queue, auto_ack=True)
    send(channel, "", b"one", headers, headers={"a": 1})
    send(channel, "", b"both", headers, headers={"a": 1, "b": "two", "c": True})
    same(consumer.bodies(1), [b"both"], "headers deliveries")
    consumer.nothing()

    fanout, queues = s.exchange(channel, "fanout"), [s.queue(channel), s.queue(channel)]
    for queue in queues:
        channel.queue_bind(queue, fanout)
    send(channel, "any", b"copy", fanout)
    for queue in queues:
        count_becomes(channel, queue, 1)


@story("publish-consume")
def publish_consume(s):
    connection = s.connect()
    channel = connection.channel()
    queue = s.queue(channel)
    consumer = Consumer(channel, queue)
    bodies = [f"message {n}".encode() for n in range(100)] + [b""]
    for body in bodies:
        send(channel, queue, body, delivery_mode=2)
    for tag, expected in enumerate(bodies, 1):
        method, properties, body = consumer.next()
        found = (body, method.redelivered, method.exchange, method.routing_key, method.consumer_tag)
        same(found, (expected, False, "", queue, consumer.tag), "delivery")
        same((method.delivery_tag, properties.delivery_mode), (tag, 2), "delivery tag and mode")
        channel.basic_ack(method.delivery_tag)
    channel.basic_cancel(consumer.tag)
    send(channel, queue, b"left")
    count_becomes(channel, queue, 1)
    check(not consumer.inbox, "delivered to a cancelled consumer")
    connection.close()
    same(count(s.connect().channel(), queue), 1, "messages left when all unacknowledged ones are back")


@story("confirms")
def confirms(s):
    channel = confirming(s.connect())
    queue = s.queue(channel)
    for n in range(50):
        send(channel, queue, str(n).encode())  # returns when acked
    count_becomes(channel, queue, 50)
    send(channel, unique("nowhere"), b"dropped")

    full = s.queue(channel, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    send(channel, full, b"fits")
    failure(NackError, lambda: send(channel, full, b"does not fit"))
    count_becomes(channel, full, 1)


@story("mandatory-return")
def mandatory_return(s):
    channel = confirming(s.connect())
    nowhere = unique("nowhere")
    error = failure(
        UnroutableError,
        lambda: send(channel, nowhere, b"back", mandatory=True, message_id="id 1", headers={"own": "header"}),
    )
    same(len(error.messages), 1, "returned messages")
    back = error.messages[0]
    found = (back.method.reply_code, back.method.reply_text, back.method.exchange, back.method.routing_key)
    same(found, (312, "NO_ROUTE", "", nowhere), "return")
    found = (back.body, back.properties.message_id, back.properties.headers)
    same(found, (b"back", "id 1", {"own": "header"}), "returned message")

    queue = s.queue(channel)
    send(channel, queue, b"stays", mandatory=True)  # raises if returned
    count_becomes(channel, queue, 1)


@story("prefetch")
def prefetch(s):
    channel = confirming(s.connect())
    queue = s.queue(channel)
    bodies = [str(n).encode() for n in range(10)]
    for body in bodies:
        send(channel, queue, body)
    channel.basic_qos(prefetch_count=3)
    consumer = Consumer(channel, queue)

    def exactly(deliveries, ready):
        taken = consumer.take(deliveries)
        count_becomes(channel, queue, ready)
        check(not consumer.inbox, f"more than {deliveries} deliveries")
        return taken

    taken = exactly(3, 7)
    channel.basic_ack(taken[0][0].delivery_tag)
    taken += exactly(1, 6)
    channel.basic_ack(taken[3][0].delivery_tag, multiple=True)
    taken += exactly(3, 3)
    for method, _, _ in taken[4:]:
        channel.basic_ack(method.delivery_tag)
    taken += exactly(3, 0)
    channel.basic_ack(0, multiple=True)
    same([body for _, _, body in taken], bodies, "bodies")


@story("nack-requeue")
def nack_requeue(s):
    connection = s.connect()
    channel = confirming(connection)
    queue = s.queue(channel)
    for body in (b"a", b"b", b"c"):
        send(channel, queue, body)
    consumer = Consumer(channel, queue)

    def exactly(expected, redelivered):
        taken = consumer.take(len(expected))
        same([(body, m.redelivered) for m, _, body in taken], [(b, redelivered) for b in expected], "deliveries")
        return [method.delivery_tag for method, _, _ in taken]

    _, b, c = exactly([b"a", b"b", b"c"], False)
    channel.basic_nack(b, requeue=True)
    exactly([b"b"], True)
    channel.basic_reject(c, requeue=True)
    (last,) = exactly([b"c"], True)
    channel.basic_nack(last, multiple=True, requeue=True)
    for tag in exactly([b"a", b"b", b"c"], True):
        channel.basic_nack(tag, requeue=False)
    consumer.nothing()
    connection.close()
    same(count(s.connect().channel(), queue), 0, "messages left")


@story("dead-letter")
def dead_letter(s):
    channel = confirming(s.connect())
    dlx, dead = s.exchange(channel, "direct"), s.queue(channel, "dead")
    channel.queue_bind(dead, dlx, "dead")
    work = s.queue(channel, "work", arguments={DLX: dlx, DLK: "dead"})
    workers, undertaker = Consumer(channel, work), Consumer(channel, dead, auto_ack=True)
    send(channel, work, b"doomed", headers={"own": "header"})
    channel.basic_reject(workers.next()[0].delivery_tag, requeue=False)
    method, properties, body = undertaker.next()
    same((method.exchange, method.routing_key, body), (dlx, "dead", b"doomed"), "dead letter")
    headers = properties.headers
    same(headers["own"], "header", "own header")
    suite.same_deaths(headers["x-death"], [(work, "rejected", 1, "", [work])], time.time())
    for which in ("first", "last"):
        found = [headers[f"x-{which}-death-{key}"] for key in ("reason", "queue", "exchange")]
        same(found, ["rejected", work, ""], f"{which} death")

    wait, work = unique("wait"), unique("work")
    s.queues += [wait, work]
    channel.queue_declare(work, durable=True, arguments={DLX: "", DLK: wait})
    channel.queue_declare(wait, durable=True, arguments={DLX: "", DLK: work, "x-message-ttl": 100})
    workers = Consumer(channel, work)
    send(channel, work, b"again")
    for attempt in range(3):
        method, properties, body = workers.next()
        same(body, b"again", "body")
        if attempt == 0:
            check("x-death" not in (properties.headers or {}), "x-death before any death")
        if attempt < 2:
            channel.basic_reject(method.delivery_tag, requeue=False)
    headers = properties.headers
    expected = [(wait, "expired", 2, "", [wait]), (work, "rejected", 2, "", [work])]
    suite.same_deaths(headers["x-death"], expected, time.time())
    same((headers["x-first-death-reason"], headers["x-first-death-queue"]), ("rejected", work), "first death")
    same((headers["x-last-death-reason"], headers["x-last-death-queue"]), ("expired", wait), "last death")


@story("ttl")
def ttl(s):
    connection = s.connect()
    channel = confirming(connection)
    dead = s.queue(channel, "dead")
    undertaker = Consumer(channel, dead, auto_ack=True)
    short = s.queue(channel, "short", arguments={"x-message-ttl": 200, DLX: "", DLK: dead})
    send(channel, short, b"queue ttl")
    _, properties, body = undertaker.next()
    same(body, b"queue ttl", "body")
    suite.same_deaths(properties.headers["x-death"], [(short, "expired", 1, "", [short])], time.time())

    long = s.queue(channel, "long", arguments={DLX: "", DLK: dead})
    send(channel, long, b"message ttl", expiration="200")
    _, properties, body = undertaker.next()
    death = properties.headers["x-death"][0]
    found = (body, properties.expiration, death["reason"], death["original-expiration"])
    same(found, (b"message ttl", None, "expired", "200"), "expired message")

    passing = s.queue(channel, "passing", arguments={"x-expires": 300})

    def gone():
        try:
            send(channel, passing, b"there?", mandatory=True)
        except UnroutableError:
            return True
        except NackError:  # it is just going
            return False

    eventually("the queue expires", gone)
    with closes(404, "passive declare of an expired queue"):
        connection.channel().queue_declare(passing, passive=True)


@story("priorities")
def priorities(s):
    channel = confirming(s.connect())
    queue = s.queue(channel, arguments={"x-max-priority": 10})
    sent = {b"a": 1, b"b": 5, b"c": 3, b"d": None, b"e": 10, b"f": 5}
    for body, priority in sent.items():
        send(channel, queue, body, priority=priority)
    channel.basic_qos(prefetch_count=1)
    consumer = Consumer(channel, queue)
    found = []
    for _ in sent:
        method, properties, body = consumer.next()
        found.append((body, properties.priority))
        channel.basic_ack(method.delivery_tag)
    same(found, [(body, sent[body]) for body in (b"e", b"b", b"f", b"c", b"a", b"d")], "order")


@story("rpc-direct-reply-to")
def rpc(s):
    connection = s.connect()
    serving, asking = connection.channel(), connection.channel()
    queue = s.queue(serving)
    server = Consumer(serving, queue, auto_ack=True)
    answers = Consumer(asking, "amq.rabbitmq.reply-to", auto_ack=True)
    for n in range(3):
        send(asking, queue, f"ask {n}".encode(), reply_to="amq.rabbitmq.reply-to", correlation_id=str(n))
    for _, properties, body in server.take(3):
        check(properties.reply_to.startswith("amq.rabbitmq.reply-to."), f"reply-to {properties.reply_to!r}")
        send(serving, properties.reply_to, body.upper(), correlation_id=properties.correlation_id)
    found = [(body, properties.correlation_id) for _, properties, body in answers.take(3)]
    same(found, [(f"ASK {n}".encode(), str(n)) for n in range(3)], "answers")


@story("exclusive-auto-delete")
def exclusive_auto_delete(s):
    owner, other = s.connect(), s.connect()
    queue = owner.channel().queue_declare("", exclusive=True).method.queue
    with closes(405, "declare of another's exclusive queue"):
        other.channel().queue_declare(queue, passive=True)
    owner.close()
    with closes(404, "declare of an exclusive queue whose owner is gone"):
        other.channel().queue_declare(queue, passive=True)

    def gone(declare):
        """A declare closes its channel when what it looks for is gone."""
        try:
            declare(other.channel())
        except ChannelClosedByBroker as error:
            same(error.reply_code, 404, "code of a passive declare")
            return True

    channel = other.channel()
    queue = s.queue(channel, auto_delete=True)
    channel.basic_cancel(Consumer(channel, queue).tag)
    eventually("the auto-delete queue goes", lambda: gone(lambda c: c.queue_declare(queue, passive=True)))

    exchange, queue = s.exchange(channel, "direct", auto_delete=True), s.queue(channel)
    channel.queue_bind(queue, exchange, "key")
    channel.queue_unbind(queue, exchange, "key")
    eventually(
        "the auto-delete exchange goes",
        lambda: gone(lambda c: c.exchange_declare(exchange, "direct", passive=True)),
    )


@story("large-body")
def large_body(s):
    channel = confirming(s.connect())
    queue = s.queue(channel)
    consumer = Consumer(channel, queue, auto_ack=True)
    for size in BODY_SIZES:
        send(channel, queue, body_of(size))
    for size in BODY_SIZES:
        body = consumer.next()[2]
        same(len(body), size, "size of the body")
        check(body == body_of(size), f"the body of {size} bytes came back different")


@story("cancel-notification")
def cancel_notification(s):
    connection = s.connect()
    channel = connection.channel()
    queue = s.queue(channel)
    consumer, cancelled = Consumer(channel, queue), []
    channel.add_on_cancel_callback(cancelled.append)
    connection.channel().queue_delete(queue)
    eventually("the consumer is cancelled", lambda: connection.process_data_events(0.1) or cancelled)
    same(cancelled[0].method.consumer_tag, consumer.tag, "cancelled tag")
    channel.queue_declare("", exclusive=True)


@story("errors")
def errors(s):
    connection = s.connect()
    queue, vhost = s.queue(connection.channel()), unique("missing")
    locked = connection.channel().queue_declare("", exclusive=True).method.queue
    missing = unique("missing")
    expected = suite.errors(missing, locked, vhost)
    expected["redeclare"] = suite.errors(queue, locked, vhost)["redeclare"]

    def channel():
        return connection.channel()

    mistakes = {
        "consume": lambda: Consumer(channel(), missing),
        "redeclare": lambda: channel().queue_declare(queue, durable=False),
        "delete": lambda: channel().exchange_delete("amq.direct"),
        "exclusive": lambda: s.connect().channel().queue_declare(locked, passive=True),
    }
    for what, mistake in mistakes.items():
        error = failure(ChannelClosedByBroker, mistake)
        suite.same_error(error.reply_code, error.reply_text, expected[what], what)

    def refused(what, kind, **changes):
        code, text = expected[what]
        error = failure(kind, lambda: s.connect(**changes))
        check(f"ConnectionClosedByBroker: ({code}) {text!r}" in str(error), f"{what} refused with {error}")

    refused("vhost", ProbableAccessDeniedError, virtual_host=vhost)
    nobody = pika.PlainCredentials("conformance-nobody", "wrong")
    refused("login", ProbableAuthenticationError, credentials=nobody)
    same(count(channel(), queue), 0, "the first connection still works")


@story("heartbeat-loss")
def heartbeat_loss(s):
    connection = s.connect(suite.proxy_url(), heartbeat=1)
    channel = connection.channel()
    queue = s.queue(channel)
    Consumer(channel, queue)
    connection.process_data_events(3.5)  # idle, but for the heartbeats
    same(count(channel, queue), 0, "a round trip after the idle time")
    suite.proxy("freeze")
    try:
        lost = time.monotonic()
        failure(AMQPConnectionError, lambda: connection.process_data_events(suite.WAIT_SECONDS))
        check(time.monotonic() - lost < suite.WAIT_SECONDS, "the loss was not noticed")
    finally:
        suite.proxy("thaw")


@story("reconnect")
def reconnect(s):
    connection = s.connect(suite.proxy_url())
    channel = confirming(connection)
    queue = s.queue(channel)
    channel.basic_qos(prefetch_count=10)
    consumer = Consumer(channel, queue)
    send(channel, queue, b"a")
    send(channel, queue, b"b")
    (a, _, _), _ = consumer.take(2)
    channel.basic_ack(a.delivery_tag)
    count_becomes(channel, queue, 0)  # behind the ack
    suite.proxy("cut")
    failure(AMQPConnectionError, lambda: connection.process_data_events(suite.WAIT_SECONDS))

    channel = confirming(s.connect(suite.proxy_url()))
    channel.queue_declare(queue, durable=True)
    consumer = Consumer(channel, queue)
    method, _, body = consumer.next()
    same((body, method.redelivered), (b"b", True), "redelivery")
    send(channel, queue, b"c")
    same(consumer.bodies(1), [b"c"], "what follows")


@story("channels-1000")
def channels_1000(s):
    connection = s.connect()
    queue = s.queue(connection.channel())
    channels = [connection.channel() for _ in range(1000)]
    for n, channel in enumerate(channels):
        count(channel, queue)
        send(channel, queue, str(n).encode())
    consumer = Consumer(connection.channel(), queue, auto_ack=True)
    same(sorted(int(body) for body in consumer.bodies(1000)), list(range(1000)), "messages")
    for channel in channels:
        channel.close()


@story("tx")
def tx(s):
    connection = s.connect()
    channel, other = connection.channel(), connection.channel()
    queue = s.queue(channel)
    channel.tx_select()
    send(channel, queue, b"1")
    send(channel, queue, b"2")
    same(count(channel, queue), 0, "messages before the commit")
    same(count(other, queue), 0, "messages before the commit, elsewhere")
    channel.tx_commit()
    count_becomes(other, queue, 2)
    send(channel, queue, b"dropped")
    channel.tx_rollback()

    def consume_and_ack(channel):
        channel.tx_select()
        consumer = Consumer(channel, queue)
        same(consumer.bodies(2), [b"1", b"2"], "messages")
        channel.basic_ack(0, multiple=True)

    same(count(other, queue), 2, "messages after the rollback")
    consume_and_ack(channel)
    channel.tx_rollback()
    channel.close()
    count_becomes(other, queue, 2)
    channel = connection.channel()
    consume_and_ack(channel)
    channel.tx_commit()
    channel.close()
    connection.close()
    same(count(s.connect().channel(), queue), 0, "messages after the acks were committed")


HEADERS = {
    "string": "héllo wörld ✓",
    "empty": "",
    "int": 42,
    "long": 2**62,
    "negative": -7,
    "negative long": -(2**62),
    "true": True,
    "false": False,
    "void": None,
    "bytes": b"\x00\xff",
    "timestamp": datetime.fromtimestamp(1700000000, timezone.utc),
    "table": {"inner": {"deep": "value", "n": 1}, "nothing": {}},
    "array": ["a", 1, True, None, {"in": "array"}, ["nested"], []],
}


@story("headers-and-properties")
def headers_and_properties(s):
    channel = confirming(s.connect())
    queue = s.queue(channel)
    sent = {
        "content_type": "application/json",
        "content_encoding": "gzip",
        "headers": HEADERS,
        "delivery_mode": 2,
        "priority": 7,
        "correlation_id": "correlation",
        "reply_to": "reply",
        "expiration": "60000",
        "message_id": "message",
        "timestamp": 1700000000,
        "type": "kind",
        "user_id": USER,
        "app_id": "app",
        "cluster_id": "cluster",
    }
    send(channel, queue, b"all", **sent)
    send(channel, queue, b"none")
    consumer = Consumer(channel, queue, auto_ack=True)
    for expected in (sent, dict.fromkeys(sent)):
        properties = consumer.next()[1]
        for name, value in expected.items():
            same(getattr(properties, name), value, name)


@story("tls")
def tls(s):
    url, folder = os.environ.get("AMQPS_URL"), os.environ.get("TLS_FOLDER")
    if url is None:
        raise NotOffered("no certificates of this broker are known here")

    def there_and_back(**changes):
        channel = s.connect(url, **changes).channel()
        channel.confirm_delivery()
        body = body_of(1024 * 1024)
        queue = s.queue(channel, exclusive=True, durable=False)
        channel.basic_publish("", queue, body)
        same(channel.basic_get(queue, auto_ack=True)[2], body, "body")

    trusting = ssl.create_default_context(cafile=f"{folder}/ca.pem")
    there_and_back(ssl_options=pika.SSLOptions(trusting, "localhost"))
    try:
        s.connect(url, ssl_options=pika.SSLOptions(ssl.create_default_context(), "localhost"))
    except (AMQPConnectionError, ssl.SSLError):
        pass
    else:
        raise Failed("a certificate that nobody vouches for was believed")
    trusting.load_cert_chain(f"{folder}/client.pem", f"{folder}/client.key")
    external = pika.credentials.ExternalCredentials()
    there_and_back(ssl_options=pika.SSLOptions(trusting, "localhost"), credentials=external)


@story("exchange-to-exchange")
def exchange_to_exchange(s):
    channel = confirming(s.connect())
    a, b, queue = s.exchange(channel, "fanout"), s.exchange(channel, "topic"), s.queue(channel)
    channel.exchange_bind(destination=b, source=a)
    channel.queue_bind(queue, b, "k.#")
    consumer = Consumer(channel, queue, auto_ack=True)
    send(channel, "k.1", b"", a)
    send(channel, "other", b"", a)
    channel.exchange_unbind(destination=b, source=a)
    send(channel, "k.2", b"", a)
    send(channel, "k.3", b"", b)
    found = [(method.exchange, method.routing_key) for method, _, _ in consumer.take(2)]
    same(found, [(a, "k.1"), (b, "k.3")], "deliveries")
    consumer.nothing()


@story("get")
def get(s):
    channel = confirming(s.connect())
    queue = s.queue(channel)
    same(channel.basic_get(queue), (None, None, None), "get from an empty queue")
    for body in (b"1", b"2", b"3"):
        send(channel, queue, body)
    count_becomes(channel, queue, 3)

    def take(expected, left, redelivered=False, auto_ack=False):
        method, _, body = channel.basic_get(queue, auto_ack)
        found = (body, method.message_count, method.exchange, method.routing_key, method.redelivered)
        same(found, (expected, left, "", queue, redelivered), "get-ok")
        return method.delivery_tag

    first = take(b"1", 2)
    take(b"2", 1, auto_ack=True)
    third = take(b"3", 0)
    channel.basic_nack(first, requeue=True)
    channel.basic_ack(third)
    channel.basic_ack(take(b"1", 0, redelivered=True))
    same(channel.basic_get(queue), (None, None, None), "get from the emptied queue")


def select(script):
    """Runs a SelectConnection whose callbacks are driven by a generator.

    `script(connection)` yields functions that take a callback; it goes on with what the callback got.
    A lost or refused connection is thrown into it.
    """

    def step(action, *arguments):
        try:
            ask = action(*arguments)
        except StopIteration:
            finished.append(True)
            if connection.is_open:
                connection.close()
            else:
                connection.ioloop.stop()
            return
        except BaseException as error:
            raised.append(error)
            connection.ioloop.stop()
            return
        ask(lambda *values: step(story.send, values[-1] if values else None))

    def closed(connection, reason):
        if finished:
            connection.ioloop.stop()
        else:
            step(story.throw, reason)

    finished, raised = [], []
    connection = pika.SelectConnection(
        parameters(),
        on_open_callback=lambda _: step(next, story),
        on_open_error_callback=closed,
        on_close_callback=closed,
    )
    story = script(connection)
    connection.ioloop.start()
    if raised:
        raise raised[0]


@story("select-confirms")
def select_confirms(s):
    """50 publishes in one go on a SelectConnection, acked by as many frames as the broker likes, then consumed."""
    total, name = 50, unique("select")
    s.queues.append(name)

    def script(connection):
        channel = yield lambda done: connection.channel(on_open_callback=done)
        yield lambda done: channel.queue_declare(name, durable=True, callback=done)
        acked, waiting = set(), []

        def confirmed(frame):
            method = frame.method
            check(isinstance(method, pika.spec.Basic.Ack), f"{method} instead of an ack")
            acked.update(range(1, method.delivery_tag + 1) if method.multiple else [method.delivery_tag])
            if len(acked) == total:
                waiting[0]()

        yield lambda done: channel.confirm_delivery(confirmed, callback=done)

        def publish_all(done):
            waiting.append(done)
            for n in range(total):
                send(channel, name, str(n).encode())

        yield publish_all
        same(acked, set(range(1, total + 1)), "acked tags")

        bodies = []

        def consume(done):
            def received(_channel, _method, _properties, body):
                bodies.append(body)
                if len(bodies) == total:
                    done()

            channel.basic_consume(name, received, auto_ack=True)

        yield consume
        same(bodies, [str(n).encode() for n in range(total)], "bodies")

    select(script)


@story("select-channel-error")
def select_channel_error(s):
    """A channel closed by the broker, seen from a SelectConnection; another channel and its number go on."""

    def script(connection):
        other = yield lambda done: connection.channel(on_open_callback=done)
        channel = yield lambda done: connection.channel(on_open_callback=done)
        number, missing = channel.channel_number, unique("missing")

        def mistake(done):
            channel.add_on_close_callback(done)
            channel.basic_consume(missing, print)

        reason = yield mistake
        suite.same_error(reason.reply_code, reason.reply_text, suite.errors(missing, "", "")["consume"], "consume")
        yield lambda done: other.queue_declare("", exclusive=True, callback=done)
        channel = yield functools.partial(open_again, connection, number)
        frame = yield lambda done: channel.queue_declare("", exclusive=True, callback=done)
        check(frame.method.queue.startswith("amq.gen-"), "the number serves a new channel")

    def open_again(connection, number, done):
        connection.channel(channel_number=number, on_open_callback=done)

    select(script)


def tell(body):
    with contextlib.closing(Session()) as session:
        body(session)


suite.main(tell)
