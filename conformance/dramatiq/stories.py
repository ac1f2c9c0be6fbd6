"""The stories of Dramatiq: its queues for delays and for dead messages, priorities, confirms. Workers run in this process, with a broker object
of their own.
"""

import contextlib
import os
import threading

os.environ["dramatiq_queue_prefetch"] = "1"  # read when the module is imported

import dramatiq
import pika
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.middleware import AgeLimit, Callbacks, Pipelines, Retries, ShutdownNotifications

import suite
from suite import AMQP_URL, check, eventually, same, story, unique


class Session:
    """What one story has: a queue with its three names, actors, workers. All of it is gone at the end."""

    def __init__(self):
        self.queue = unique("dramatiq")
        self.ends = contextlib.ExitStack()
        self.plain = self.ends.enter_context(pika.BlockingConnection(pika.URLParameters(AMQP_URL)))
        self.channel = self.plain.channel()
        self.ends.callback(self.delete)

    def broker(self, **options):
        # Without its middleware that starts threads for nothing that is told here.
        kinds = (AgeLimit, ShutdownNotifications, Callbacks, Pipelines, Retries)
        made = RabbitmqBroker(url=AMQP_URL, middleware=[kind() for kind in kinds], **options)
        self.ends.callback(made.close)
        return made

    def actor(self, broker, body, **options):
        return dramatiq.actor(body, broker=broker, queue_name=self.queue, actor_name="work", **options)

    def worker(self, broker, threads=1):
        worker = dramatiq.Worker(broker, worker_threads=threads, worker_timeout=100)
        worker.start()
        self.ends.callback(worker.stop)

    def waits(self, *expected):
        """Messages are sent without confirms: their queue has them a little later."""
        found = lambda: tuple(self.count(suffix) for suffix in ("", ".DQ")[: len(expected)])
        eventually(f"{expected} messages wait", lambda: found() == expected)

    def count(self, suffix=""):
        return self.channel.queue_declare(f"{self.queue}{suffix}", passive=True).method.message_count

    def delete(self):
        for suffix in ("", ".DQ", ".XQ"):
            self.channel.queue_delete(f"{self.queue}{suffix}")

    def close(self):
        self.ends.close()


class Done:
    """What actors did, to be waited for."""

    def __init__(self):
        self.items = []

    def __call__(self, item):
        self.items.append(item)

    def wait(self, expected):
        eventually(f"{expected} is done", lambda: len(self.items) >= len(expected))
        same(self.items, expected, "done")


@story("tasks")
def tasks(s):
    broker, done = s.broker(), Done()
    actor = s.actor(broker, done)
    for n in range(20):
        actor.send(n)
    s.waits(20)
    s.worker(broker)
    done.wait(list(range(20)))
    broker.join(s.queue, timeout=10_000)
    same(broker.get_queue_message_counts(s.queue), (0, 0, 0), "counts of the three queues")


@story("delay")
def delay(s):
    """A task waits in the queue for delays, which the worker reads too, and then goes to its own."""
    broker, done = s.broker(), Done()
    actor = s.actor(broker, done)
    actor.send_with_options(args=("later",), delay=500)
    s.waits(0, 1)
    actor.send("now")
    s.waits(1, 1)
    s.worker(broker)
    done.wait(["now", "later"])
    broker.join(s.queue, timeout=10_000)


@story("retries")
def retries(s):
    broker, done = s.broker(), Done()

    def fails_twice(item):
        done(item)
        if len(done.items) < 3:
            raise ValueError("not yet")

    actor = s.actor(broker, fails_twice, max_retries=5, min_backoff=50, max_backoff=100)
    s.worker(broker)
    actor.send("again")
    done.wait(["again"] * 3)


@story("dead-letters")
def dead_letters(s):
    """A task that failed for good is refused: its queue dead-letters it to a third queue, which keeps it for a week."""
    broker = s.broker()

    def fails(item):
        raise ValueError(item)

    actor = s.actor(broker, fails, max_retries=0)
    sent = actor.send("broken")
    s.worker(broker)
    eventually("there is a dead letter", lambda: s.count(".XQ") == 1)
    method, properties, body = s.channel.basic_get(f"{s.queue}.XQ", auto_ack=True)
    same(dramatiq.Message.decode(body).message_id, sent.message_id, "message")
    death = properties.headers["x-death"][0]
    same((death["queue"], death["reason"], death["exchange"]), (s.queue, "rejected", ""), "x-death")


@story("priorities")
def priorities(s):
    broker, done = s.broker(max_priority=10), Done()
    actor = s.actor(broker, done)
    for priority in (1, 9, 5, None):
        actor.send_with_options(args=(priority,), broker_priority=priority)
    s.waits(4)
    s.worker(broker)
    done.wait([9, 5, 1, None])


@story("confirms")
def confirms(s):
    """Its queue is deleted: a mandatory message comes back, and the queue is declared anew."""
    broker = s.broker(confirm_delivery=True)
    actor = s.actor(broker, lambda item: None)
    actor.send(1)
    s.channel.queue_delete(s.queue)
    actor.send(2)
    same(s.count(), 1, "waiting")
    broker.flush(s.queue)
    same(s.count(), 0, "waiting after it was flushed")


@story("worker-stops")
def worker_stops(s):
    """What a worker took and has not begun goes back to the queue."""
    broker, done, held, let_go = s.broker(), Done(), threading.Event(), threading.Event()

    def holds(item):
        held.set()
        let_go.wait(suite.WAIT_SECONDS)
        done(item)

    actor = s.actor(broker, holds)
    for n in range(3):
        actor.send(n)
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=100)
    worker.start()
    check(held.wait(suite.WAIT_SECONDS), "it begins")
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    let_go.set()
    stopping.join(suite.WAIT_SECONDS * 2)
    eventually("the others are back", lambda: s.count() == 3 - len(done.items))
    s.worker(broker)
    eventually("all are done", lambda: sorted(done.items) == [0, 1, 2])


def tell(body):
    with contextlib.closing(Session()) as session:
        body(session)


suite.main(tell)
