"""What frameworks for .NET declare, bind, publish and expect, as their sources have it: neither .NET nor its packages can be had on every machine.
What they ask the management API for is told by start-up-calls.
"""

import contextlib
import json
import os
import time
from base64 import b64encode
from http.client import HTTPConnection
from urllib.parse import quote, unquote, urlsplit

import pika
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker

import suite
from suite import AMQP_URL, NotOffered, check, eventually, same, story, unique, variant

API = urlsplit(os.environ["HTTP_URL"])
LOGIN = "Basic " + b64encode(f"{unquote(API.username)}:{unquote(API.password)}".encode()).decode()


def api(method, path, body=None):
    """The status, and the JSON of the answer."""
    connection = HTTPConnection(API.hostname, API.port, timeout=suite.WAIT_SECONDS)
    with contextlib.closing(connection):
        headers = {"Authorization": LOGIN, "Content-Type": "application/json"}
        connection.request(method, f"/api/{path}", None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None


class Session:
    """A virtual host, for their names are fixed, and a channel in it that confirms and collects what comes back."""

    def __init__(self):
        self.name = unique("dotnet")
        self.connections = []
        same(api("PUT", f"vhosts/{self.name}", {})[0], 201, "PUT vhost")
        rights = {"configure": ".*", "write": ".*", "read": ".*"}
        api("PUT", f"permissions/{self.name}/{API.username}", rights)
        self.channel = self.connect().channel()
        self.channel.confirm_delivery()

    def connect(self, **properties):
        parameters = pika.URLParameters(variant(AMQP_URL, vhost=self.name))
        parameters.client_properties = properties
        self.connections.append(pika.BlockingConnection(parameters))
        return self.connections[-1]

    def publish(self, exchange, key, body, **properties):
        """Confirmed and mandatory: whoever gets it not is told by an error."""
        self.channel.basic_publish(exchange, key, body, pika.BasicProperties(delivery_mode=2, **properties), mandatory=True)

    def queue(self, name, durable=True, exclusive=False, auto_delete=False, **arguments):
        arguments = {key.replace("_", "-"): value for key, value in arguments.items()}
        return self.channel.queue_declare(name, False, durable, exclusive, auto_delete, arguments)

    def exchange(self, name, kind, durable=True, auto_delete=False, arguments=None):
        self.channel.exchange_declare(name, kind, False, durable, auto_delete, False, arguments)

    def take(self, queue, seconds=suite.WAIT_SECONDS):
        def get():
            method, properties, body = self.channel.basic_get(queue)
            return method and (method, properties, body)

        method, properties, body = eventually(f"a message in {queue}", get, seconds)
        self.channel.basic_ack(method.delivery_tag)
        return method, properties, body

    def close(self):
        for connection in self.connections:
            if connection.is_open:
                connection.close()
        api("DELETE", f"vhosts/{self.name}")


def delayed_messages_are_known():
    """They are a plugin of RabbitMQ's, and built into the broker that the runner starts."""
    types = [each["name"] for each in api("GET", "overview")[1]["exchange_types"]]
    if "x-delayed-message" not in types and "AMQPS_URL" not in os.environ:
        raise NotOffered("this broker has no plugin for delayed messages")


LEVELS = 28


def level(number):
    return f"nsb.v2.delay-level-{number:02}"


@story("nservicebus-delays", deadline=90)
def nservicebus_delays(s):
    """A delay is a number in binary: each bit that is set leads through a queue with the TTL of that bit, the highest over 32 bits."""
    delivery = "nsb.v2.delay-delivery"
    for number in reversed(range(LEVELS)):
        s.exchange(level(number), "topic")
        s.queue(
            level(number),
            x_queue_type="quorum",
            x_dead_letter_strategy="at-least-once",
            x_overflow="reject-publish",
            x_message_ttl=2**number * 1000,
            x_dead_letter_exchange=level(number - 1) if number else delivery,
        )
        s.channel.queue_bind(level(number), level(number), "*." * (LEVELS - 1 - number) + "1.#")
    s.exchange(delivery, "topic")
    for number in reversed(range(LEVELS)):
        target = level(number - 1) if number else delivery
        s.channel.exchange_bind(target, level(number), "*." * (LEVELS - 1 - number) + "0.#")

    s.exchange("Sales", "fanout")
    s.queue("Sales", x_queue_type="quorum")
    s.channel.queue_bind("Sales", "Sales", "")
    s.channel.exchange_bind("Sales", delivery, "#.Sales")

    delay = 2
    bits = f"{delay:0{LEVELS}b}"
    headers = {"NServiceBus.Transport.RabbitMQ.DelayInSeconds": delay}
    sent = time.monotonic()
    s.publish(level(delay.bit_length() - 1), ".".join(bits) + ".Sales", b"later", headers=headers)
    method, properties, body = s.take("Sales", 60)
    check(time.monotonic() - sent >= delay * 0.9, "it came too early")
    same((body, method.exchange), (b"later", level(0)), "what came")
    death = properties.headers["x-death"][0]
    same((death["queue"], death["reason"]), (level(1), "expired"), "x-death")
    same(properties.headers["NServiceBus.Transport.RabbitMQ.DelayInSeconds"], delay, "its own header")


@story("nservicebus-delay-of-years")
def nservicebus_delay_of_years(s):
    """What goes into the highest level stays there."""
    highest = level(LEVELS - 1)
    ttl = 2 ** (LEVELS - 1) * 1000
    s.exchange(highest, "topic")
    arguments = {"x_queue_type": "quorum", "x_dead_letter_strategy": "at-least-once", "x_overflow": "reject-publish"}
    s.queue(highest, x_message_ttl=ttl, x_dead_letter_exchange=highest, **arguments)
    s.channel.queue_bind(highest, highest, "1.#")
    s.publish(highest, "1.Sales", b"in four years")
    told = eventually("the API counts it", lambda: (now := api("GET", f"queues/{s.name}/{highest}")[1]).get("messages") and now)
    same((told["messages"], told["arguments"]["x-message-ttl"]), (1, ttl), "messages and TTL")
    s.queue(highest, x_message_ttl=ttl, x_dead_letter_exchange=highest, **arguments)


@story("masstransit")
def masstransit(s):
    """A message type is an exchange, so is an endpoint; a consumer that fails has an exchange and a queue for errors."""
    s.queue("order-service", x_queue_type="quorum", x_consumer_timeout=3_600_000)
    for name in ("order-service", "Contracts:SubmitOrder", "Contracts:IOrder"):
        s.exchange(name, "fanout")
    s.channel.queue_bind("order-service", "order-service", "")
    s.channel.exchange_bind("Contracts:IOrder", "Contracts:SubmitOrder", "")
    s.channel.exchange_bind("order-service", "Contracts:IOrder", "")
    headers = {"MT-Activity-Id": "00-1", "publishId": "1"}
    s.publish("Contracts:SubmitOrder", "", b"{}", content_type="application/vnd.masstransit+json", message_id="1", headers=headers)
    method, properties, _ = s.take("order-service")
    same((method.exchange, properties.content_type), ("Contracts:SubmitOrder", "application/vnd.masstransit+json"), "message")

    s.exchange("order-service_error", "fanout")
    s.queue("order-service_error", x_queue_type="quorum")
    s.channel.queue_bind("order-service_error", "order-service_error", "")
    reasons = {"MT-Reason": "fault", "MT-Fault-Message": "no", "MT-Fault-RetryCount": 3}
    s.publish("order-service_error", "", b"{}", headers=reasons)
    same(s.take("order-service_error")[1].headers, reasons, "headers of a fault")


@story("masstransit-temporary")
def masstransit_temporary(s):
    """The queue of a bus: transient, not exclusive, gone with its consumer. RabbitMQ 4.3 may be told to deny it."""
    channel = s.connect().channel()
    try:
        channel.queue_declare("bus-temporary", False, False, False, True, {"x-expires": 60000})
        refused = None
    except (ChannelClosedByBroker, ConnectionClosedByBroker) as error:
        refused = error
    if "transient_nonexcl_queues" in str(refused) and "AMQPS_URL" not in os.environ:
        raise NotOffered("this broker denies such queues")
    same(refused, None, "refusal")
    channel.exchange_declare("bus-temporary", "fanout", False, False, True)
    channel.queue_bind("bus-temporary", "bus-temporary", "")
    tag = channel.basic_consume("bus-temporary", lambda *_: None)
    channel.basic_cancel(tag)
    for path in ("queues", "exchanges"):
        eventually(f"it is no longer among the {path}", lambda path=path: api("GET", f"{path}/{s.name}/bus-temporary")[0] == 404)


@story("masstransit-delayed")
def masstransit_delayed(s):
    """Its delayed scheduler, which Rebus, EasyNetQ and Wolverine have as well."""
    delayed_messages_are_known()
    s.queue("order-service")
    s.exchange("order-service", "fanout")
    s.channel.queue_bind("order-service", "order-service", "")
    s.exchange("order-service_delay", "x-delayed-message", arguments={"x-delayed-type": "fanout"})
    s.channel.exchange_bind("order-service", "order-service_delay", "")
    s.channel.basic_publish("order-service_delay", "", b"later", pika.BasicProperties(headers={"x-delay": 500}, delivery_mode=2))
    s.channel.basic_publish("order-service", "", b"now", pika.BasicProperties(delivery_mode=2))
    same([s.take("order-service")[2] for _ in range(2)], [b"now", b"later"], "order")


@story("rebus")
def rebus(s):
    """Two exchanges for all: direct for sends, topic for events; an unknown address comes back."""
    s.exchange("RebusDirect", "direct")
    s.exchange("RebusTopics", "topic")
    for address in ("orders", "error"):
        s.queue(address, x_queue_type="quorum")
        s.channel.queue_bind(address, "RebusDirect", address)
    s.channel.queue_declare("orders", passive=True)
    topic = "Contracts.OrderMade, Contracts"
    s.channel.queue_bind("orders", "RebusTopics", topic)
    headers = {"rbs2-msg-id": "1", "rbs2-intent": "pub", "rbs2-content-type": "application/json;charset=utf-8"}
    s.publish("RebusTopics", topic, b"event", headers=headers)
    s.publish("RebusDirect", "orders", b"command", expiration="60000", headers=headers)
    same([s.take("orders")[2] for _ in range(2)], [b"event", b"command"], "messages")
    try:
        s.publish("RebusDirect", "nobody", b"lost")
    except pika.exceptions.UnroutableError as back:
        same([(each.method.reply_code, each.body) for each in back.messages], [(312, b"lost")], "returned")
    else:
        check(False, "what nobody gets is not returned")
    s.channel.queue_unbind("orders", "RebusTopics", topic)


@story("easynetq")
def easynetq(s):
    """Subscriptions, requests with a queue for replies, a queue for errors, scheduling by dead letters."""
    kind = "Contracts.Order, Contracts"
    s.exchange(kind, "topic")
    queue = f"{kind}_billing"
    s.queue(queue, x_expires=3_600_000, x_max_priority=10, x_single_active_consumer=True, x_queue_mode="lazy")
    s.channel.queue_bind(queue, kind, "#")
    s.channel.exchange_declare(kind, passive=True)
    s.publish(kind, "", b"order", priority=5, type=kind, correlation_id="1")
    same(s.take(queue)[1].type, kind, "type")

    s.exchange("easy_net_q_rpc", "direct")
    server = "Contracts.Request, Contracts"
    s.queue(server)
    s.channel.queue_bind(server, "easy_net_q_rpc", server)
    replies = "easynetq.response.1"
    s.queue(replies, durable=False, exclusive=True, auto_delete=True)
    s.publish("easy_net_q_rpc", server, b"ask", reply_to=replies, correlation_id="2", expiration="10000")
    _, properties, _ = s.take(server)
    s.publish("", properties.reply_to, b"told", correlation_id=properties.correlation_id)
    same(s.take(replies)[1].correlation_id, "2", "correlation of the reply")

    s.exchange("ErrorExchange_#", "direct")
    s.queue("EasyNetQ_Default_Error_Queue")
    s.channel.queue_bind("EasyNetQ_Default_Error_Queue", "ErrorExchange_#", "#")
    s.publish("ErrorExchange_#", "#", b"an error")
    same(s.take("EasyNetQ_Default_Error_Queue")[2], b"an error", "error")

    later = f"{kind}_00_00_00_300"
    s.exchange(later, "topic")
    s.queue(later, x_message_ttl=300, x_dead_letter_exchange=kind, x_dead_letter_routing_key="")
    s.channel.queue_bind(later, later, "#")
    s.publish(later, "", b"later")
    same(s.take(queue)[2], b"later", "scheduled")


@story("wolverine")
def wolverine(s):
    """It takes an error for harmless, or for a missing queue, by its words; its tests close connections over the API."""
    dead = "wolverine-dead-letter-queue"
    s.exchange(dead, "fanout")
    s.queue(dead)
    s.channel.queue_bind(dead, dead, dead)
    s.queue("work", x_dead_letter_exchange=dead)
    s.queue("wolverine.response.1", durable=False, exclusive=True, auto_delete=True)
    s.channel.queue_purge("work")
    words = {
        "inequivalent arg": lambda channel: channel.queue_declare("work", durable=True),
        "NOT_FOUND - no queue": lambda channel: channel.queue_purge("missing"),
    }
    for text, mistake in words.items():
        try:
            mistake(s.connections[0].channel())
        except ChannelClosedByBroker as refused:
            check(text in refused.reply_text, f"{refused.reply_text!r} is without {text!r}")
        else:
            check(False, f"no refusal with {text!r}")
    s.publish("", "work", b"bad")
    method, _, _ = eventually("a message", lambda: (got := s.channel.basic_get("work"))[0] and got)
    s.channel.basic_nack(method.delivery_tag, requeue=False)
    same(s.take(dead)[2], b"bad", "dead letter")

    named = s.connect(connection_name=s.name)
    mine = lambda: [each["name"] for each in api("GET", "connections")[1] if each.get("client_properties", {}).get("connection_name") == s.name]
    [name] = eventually("the API lists the connection", mine, 30)
    same(api("DELETE", f"connections/{quote(name, safe='')}")[0], 204, "DELETE connection")
    try:
        named.process_data_events(time_limit=suite.WAIT_SECONDS)
        check(False, "the connection outlives it")
    except ConnectionClosedByBroker as closed:
        same((closed.reply_code, closed.reply_text), (320, "CONNECTION_FORCED - Closed via management plugin"), "how it was closed")


def tell(body):
    with contextlib.closing(Session()) as session:
        body(session)


suite.main(tell)
