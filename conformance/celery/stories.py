"""The stories of Celery: real workers in processes of their own, fed and watched from here.

Each story has its own queue, its own exchanges for remote control and events, and starts its own workers,
so they may run against a broker that others use too. The exception is celery-quorum-delayed, as Celery
gives fixed names to the queues of its native delayed delivery (celery_delayed_0 to celery_delayed_27).

Not offered by Celery:
  * chords on the rpc:// result backend: celery-chord keeps its results in files
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta, timezone

from celery import chain, chord, group
from celery.exceptions import TaskRevokedError
from kombu import Connection

import suite
from suite import AMQP_URL, Failed, check, eventually, same, unique
from tasks import application

HERE = pathlib.Path(__file__).resolve().parent
DEADLINE = 240
START_SECONDS = 60

workers = set()  # those that run


def story(name):
    return suite.story(f"celery-{name}", deadline=DEADLINE)


class Worker:
    """A worker process. Its process group is its own, so that it can be killed with its children."""

    def __init__(self, session, *options, name="first", **config):
        self.log = session.folder / f"{name}.log"
        self.node = f"{name}@{session.name}"
        command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--concurrency=2", "--loglevel=INFO"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [*command, f"--hostname={self.node}", *options],
                cwd=HERE,
                env=dict(os.environ, STORY_CONFIG=json.dumps({**session.config, **config})),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        workers.add(self)
        eventually(f"worker {name} is ready", self.ready, START_SECONDS)

    def ready(self):
        if self.process.poll() is not None:
            raise Failed(f"the worker ended with {self.process.returncode}: {self.text()[-2000:]}")
        return f"{self.node} ready." in self.text()

    def text(self):
        return self.log.read_text(errors="replace")

    def signal(self, number):
        self.process.send_signal(number)

    def ends(self, seconds=suite.WAIT_SECONDS):
        """Waits for the worker to end; gives its exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"the worker did not end within {seconds} s: {self.text()[-2000:]}") from None

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        workers.discard(self)


class Session:
    """The application of one story, and its workers, queues and exchanges: all are gone at the end."""

    def __init__(self):
        self.name = unique("celery")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="conformance-"))
        self.queues, self.exchanges = [self.name], [self.name, f"{self.name}.events"]
        self.exchanges += [f"{prefix}{self.name}.pidbox" for prefix in ("", "reply.")]
        self.workers = []
        self.gate = str(self.folder / "gate")  # tasks wait for this file
        self.config = {
            "broker_url": AMQP_URL,
            "broker_connection_retry_on_startup": False,
            "result_backend": "rpc://",
            "task_default_queue": self.name,
            "control_exchange": self.name,
            "event_exchange": f"{self.name}.events",
            "event_queue_prefix": f"{self.name}.events",
            "worker_prefetch_multiplier": 1,
        }

    def application(self, **config):
        self.config.update(config)
        app = application(self.config)
        self.tasks = app.tasks
        return app

    def worker(self, *options, **config):
        worker = Worker(self, *options, **config)
        self.workers.append(worker)
        return worker

    def notes(self, what):
        """The lines that the task `note` wrote so far: one for each `begin` or `end`."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.folder / "notes").read_text().splitlines()
            return [line.split() for line in lines if line.startswith(what)]
        return []

    def open_gate(self):
        pathlib.Path(self.gate).touch()

    def note(self, **options):
        return self.tasks["note"].delay(str(self.folder / "notes"), **options)

    def close(self):
        for worker in self.workers:
            worker.kill()
            print(f"--- {worker.node}", worker.text(), sep="\n", file=sys.stderr)
        with Connection(AMQP_URL) as connection:
            for name in self.queues:
                connection.default_channel.queue_delete(name)
            for name in self.exchanges:
                connection.default_channel.exchange_delete(name)
        for file in self.folder.iterdir():
            file.unlink()
        self.folder.rmdir()


def result(answer):
    return answer.get(timeout=suite.WAIT_SECONDS)


def ready_messages(queue):
    with Connection(AMQP_URL) as connection:
        return connection.default_channel.queue_declare(queue, passive=True).message_count


@story("task-result")
def task_result(s):
    """Tasks and their results over rpc://; an exception is a result too."""
    s.application()
    s.worker()
    answers = [s.tasks["add"].delay(n, n) for n in range(50)]
    same([result(answer) for answer in answers], [n + n for n in range(50)], "results")
    try:
        result(s.tasks["fail"].delay())
    except Exception as error:
        same((type(error).__name__, str(error)), ("ValueError", "on purpose"), "result of a failure")
    else:
        raise Failed("no exception came back")


@story("retry")
def retry(s):
    s.application()
    s.worker()
    same(result(s.tasks["flaky"].delay(2)), 2, "retries")


@story("countdown-eta")
def countdown_eta(s):
    """A task waits in the worker, unacknowledged, until its time has come."""
    s.application()
    s.worker()
    start = time.time()
    later = s.tasks["now"].apply_async(countdown=2)
    eta = s.tasks["now"].apply_async(eta=datetime.now(timezone.utc) + timedelta(seconds=1))
    at_once = s.tasks["now"].delay()
    result(at_once)
    check(result(eta) - start >= 1, "the task with an eta was early")
    check(result(later) - start >= 2, "the task with a countdown was early")


@story("countdown-behind")
def countdown_behind(s):
    """Tasks that wait for their time do not keep others from running: the worker raises its prefetch count for each of them.

    Celery raises it for the whole channel. RabbitMQ 4.3 takes that for consumers that come later, so the last task waits there
    behind the first two, an hour long.
    """
    app = s.application()
    worker = s.worker()
    waiting = [s.tasks["now"].apply_async(countdown=3600) for _ in range(6)]
    result(s.tasks["now"].delay())
    held = app.control.inspect(timeout=suite.WAIT_SECONDS, limit=1).scheduled()[worker.node]
    same({task["request"]["id"] for task in held}, {answer.id for answer in waiting}, "tasks that wait in the worker")


@story("group-chain")
def group_chain(s):
    app = s.application()
    s.worker()
    add = s.tasks["add"]
    numbers = group([add.s(n, 1) for n in range(10)], app=app)
    same(result(numbers.delay()), [n + 1 for n in range(10)], "group")
    same(result(chain(add.s(1, 2), add.s(3), add.s(4), app=app).delay()), 10, "chain")


@story("chord")
def chord_story(s):
    """The results are files, the callback waits by retrying a task of Celery's own."""
    app = s.application(result_backend=f"file://{s.folder}", result_chord_retry_interval=0.2)
    s.worker()
    add, total = s.tasks["add"], s.tasks["total"]
    same(result(chord([add.s(n, n) for n in range(5)], total.s(), app=app).delay()), 20, "chord")


@story("inspect")
def inspect(s):
    """Remote control over a fanout exchange and a reply queue, from here and from the command line."""
    app = s.application()
    worker = s.worker()
    inspector = app.control.inspect(timeout=suite.WAIT_SECONDS, limit=1)
    same(inspector.ping(), {worker.node: {"ok": "pong"}}, "ping")
    check("add" in inspector.registered()[worker.node], "registered tasks")
    same([queue["name"] for queue in inspector.active_queues()[worker.node]], [s.name], "queues")
    same(inspector.stats()[worker.node]["prefetch_count"], 2, "prefetch count")
    same(app.control.ping(timeout=suite.WAIT_SECONDS, limit=1), [{worker.node: {"ok": "pong"}}], "broadcast ping")
    command = [sys.executable, "-m", "celery", "-A", "tasks", "inspect", "ping", "--timeout", "5", "--json"]
    env = dict(os.environ, STORY_CONFIG=json.dumps(s.config))
    told = subprocess.run(command, cwd=HERE, env=env, capture_output=True, text=True, timeout=suite.WAIT_SECONDS)
    check(told.returncode == 0 and worker.node in told.stdout, f"celery inspect ping: {told.stdout}{told.stderr}")


@story("control-queues-shared")
def control_queues_shared(s):
    """As `inspect`, with control and event queues that are transient and not exclusive."""
    app = s.application(control_queue_exclusive=False, event_queue_exclusive=False)
    worker = s.worker("--task-events")
    same(app.control.ping(timeout=suite.WAIT_SECONDS, limit=1), [{worker.node: {"ok": "pong"}}], "ping")
    same(result(s.tasks["add"].delay(1, 2)), 3, "result")


@story("add-consumer")
def add_consumer(s):
    """A running worker is told to take a second queue, and to leave it again."""
    app = s.application()
    worker, second = s.worker(), f"{s.name}-second"
    s.queues.append(second)
    s.exchanges.append(second)

    def queues():
        return {queue["name"] for queue in app.control.inspect(timeout=suite.WAIT_SECONDS, limit=1).active_queues()[worker.node]}

    app.control.add_consumer(second, reply=True, timeout=suite.WAIT_SECONDS, limit=1)
    # The worker answers before it does it.
    eventually("the second queue is consumed", lambda: queues() == {s.name, second})
    same(result(s.tasks["add"].apply_async((1, 2), queue=second)), 3, "result through the second queue")
    app.control.cancel_consumer(second, reply=True, timeout=suite.WAIT_SECONDS, limit=1)
    eventually("the second queue is left", lambda: queues() == {s.name})


@story("revoke")
def revoke(s):
    app = s.application()
    s.worker()

    def revoked(answer):
        try:
            result(answer)
        except TaskRevokedError:
            return
        raise Failed("the revoked task ran")

    waiting = s.tasks["now"].apply_async(countdown=3)
    app.control.revoke(waiting.id, reply=True, timeout=suite.WAIT_SECONDS, limit=1)
    running = s.note(seconds=60)
    eventually("the task runs", lambda: s.notes("begin"))
    app.control.revoke(running.id, terminate=True, reply=True, timeout=suite.WAIT_SECONDS, limit=1)
    revoked(running)
    revoked(waiting)
    same(s.notes("end"), [], "ends of the terminated task")


@story("events")
def events(s):
    """What `celery events` sees: task and worker events over a topic exchange."""
    app = s.application(task_send_sent_event=True)
    seen, done = {}, threading.Event()

    def watch():
        with app.connection_for_read() as connection:
            receiver = app.events.Receiver(connection, handlers={"*": note}, routing_key="#")
            with contextlib.suppress(TimeoutError), receiver.consumer_context() as (connection, _, _):
                while not done.is_set():
                    with contextlib.suppress(TimeoutError):
                        connection.drain_events(timeout=0.2)

    def note(event):
        seen.setdefault(event["type"], []).append(event)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        s.worker("--task-events")
        eventually("a heartbeat of the worker", lambda: "worker-heartbeat" in seen)
        answer = s.tasks["add"].delay(1, 2)
        same(result(answer), 3, "result")
        for kind in ("task-sent", "task-received", "task-started", "task-succeeded"):
            eventually(kind, lambda: answer.id in {event["uuid"] for event in seen.get(kind, [])})
    finally:
        done.set()
        watcher.join(suite.WAIT_SECONDS)


@story("two-workers")
def two_workers(s):
    """Two workers meet (mingle, gossip), both answer a broadcast, and share the tasks."""
    app = s.application()
    names = {s.worker(name=name).node for name in ("first", "second")}
    found = {node for reply in app.control.ping(timeout=suite.WAIT_SECONDS, limit=2) for node in reply}
    check(found == names, f"answers of {found}")
    answers = [s.note(until=s.gate) for _ in range(4)]  # two processes each
    eventually("four tasks at the same time", lambda: len(s.notes("begin")) == 4)
    s.open_gate()
    for answer in answers:
        result(answer)


@story("acks-late-redelivery")
def acks_late(s, **config):
    """A worker is killed in the middle of tasks that it has not acknowledged: another one does them."""
    s.application(task_acks_late=True, **config)
    victim = s.worker()
    ids = {s.note(seconds=60, again=0).id for _ in range(2)}
    eventually("both tasks run", lambda: len(s.notes("begin")) == 2)
    victim.kill()
    s.worker(name="second")
    eventually("both tasks are done", lambda: {task for _, task in s.notes("end")} == ids)
    same([redelivered for _, _, redelivered in s.notes("begin")], ["False"] * 2 + ["True"] * 2, "redelivered")


@story("warm-shutdown")
def warm_shutdown(s):
    """SIGTERM: what runs is finished, what was prefetched goes back, and runs once elsewhere."""
    s.application()
    first = s.worker(worker_prefetch_multiplier=4)
    answers = [s.note(until=s.gate) for _ in range(8)]
    eventually("two tasks run", lambda: len(s.notes("begin")) == 2)
    eventually("all are prefetched", lambda: ready_messages(s.name) == 0)
    first.signal(signal.SIGTERM)
    eventually("it is about to end", lambda: "Warm shutdown" in first.text())
    s.open_gate()
    same(first.ends(), 0, "exit code of the worker")
    done = len(s.notes("end"))
    same(len(s.notes("begin")), done, "tasks that were begun and ended")
    check(done < 8, "the worker ended with all tasks done")
    eventually("the others are back", lambda: ready_messages(s.name) == 8 - done)
    s.worker(name="second")
    for answer in answers:
        result(answer)
    same(len(s.notes("begin")), 8, "tasks that ran")


@story("soft-shutdown")
def soft_shutdown(s):
    """SIGQUIT with a soft shutdown: what runs has some time to end; what does not is given back."""
    app = s.application(task_acks_late=True, worker_soft_shutdown_timeout=8)
    first = s.worker()
    short, long = s.note(until=s.gate), s.note(seconds=60, again=0)
    # The worker ends only those of which its main process knows already who runs them.
    active = lambda: [task["worker_pid"] for task in app.control.inspect(timeout=suite.WAIT_SECONDS, limit=1).active()[first.node]]
    eventually("both tasks run", lambda: len(s.notes("begin")) == 2 and len(pids := active()) == 2 and all(pids))
    first.signal(signal.SIGQUIT)
    eventually("it is about to end", lambda: "Soft Shutdown" in first.text())
    s.open_gate()
    first.ends()
    same([task for _, task in s.notes("end")], [short.id], "tasks that ended in time")
    s.worker(name="second")
    eventually("the long task is done elsewhere", lambda: long.id in {task for _, task in s.notes("end")})
    same(len(s.notes("begin")), 3, "begins")


@story("reconnect")
def reconnect(s):
    """The worker's connections are cut, also while it works: it comes back and goes on."""
    app = s.application()
    worker = s.worker(broker_url=suite.proxy_url(), broker_connection_retry=True)
    for x in range(3):
        same(result(s.tasks["add"].delay(x, 1)), x + 1, "result")
        suite.proxy("cut")
        same(result(s.tasks["add"].delay(x, 2)), x + 2, "result after a cut")
        told = eventually("an answer to ping", lambda: app.control.ping(timeout=1, limit=1))
        same(told, [{worker.node: {"ok": "pong"}}], "ping after a cut")


@story("priorities")
def priorities(s):
    """Tasks of a queue with priorities, taken one by one: the more urgent first."""
    s.application(task_queue_max_priority=10, task_default_priority=5)
    with Connection(AMQP_URL) as connection:  # before any worker: the tasks wait together
        channel = connection.default_channel
        channel.exchange_declare(s.name, "direct", durable=True, auto_delete=False)
        channel.queue_declare(s.name, durable=True, auto_delete=False, arguments={"x-max-priority": 10})
        channel.queue_bind(s.name, s.name, s.name)
    path = str(s.folder / "notes")
    tasks = {priority: s.tasks["note"].apply_async((path,), priority=priority) for priority in (1, 9, 3, 7)}
    ids = {answer.id: priority for priority, answer in tasks.items()}
    eventually("the tasks are queued", lambda: ready_messages(s.name) == 4)
    s.worker("--concurrency=1")
    for answer in tasks.values():
        result(answer)
    same([ids[task] for _, task, _ in s.notes("begin")], [9, 7, 3, 1], "order")


QUORUM = {
    "task_default_queue_type": "quorum",
    "task_default_exchange_type": "topic",
    "worker_detect_quorum_queues": True,
    "broker_transport_options": {"confirm_publish": True},
}


@story("quorum")
def quorum(s):
    """Tasks over a quorum queue with publisher confirms, and a worker killed in the middle."""
    acks_late(s, **QUORUM)
    answers = [s.tasks["add"].delay(n, n) for n in range(20)]
    same([result(answer) for answer in answers], [n + n for n in range(20)], "results")


@story("quorum-delayed")
def quorum_delayed(s):
    """A countdown over a quorum queue waits in the broker: 28 queues with TTL that dead-letter to one another."""
    app = s.application(**QUORUM)
    levels = [f"celery_delayed_{level}" for level in range(28)]
    s.queues += levels
    s.exchanges += [*levels, "celery_delayed_delivery"]
    worker = s.worker()
    start = time.time()
    answers = {delay: s.tasks["now"].apply_async(countdown=delay) for delay in (5, 1, 3)}
    same(app.control.inspect(timeout=suite.WAIT_SECONDS, limit=1).scheduled(), {worker.node: []}, "tasks that wait in the worker")
    for delay, answer in answers.items():
        ran = result(answer) - start
        check(ran >= delay - 1, f"the task with a countdown of {delay} s ran after {ran:.1f} s")
    same(result(s.tasks["flaky"].delay(1)), 1, "retries")


def tell(body):
    with contextlib.closing(Session()) as session:
        body(session)


def tidy():
    for worker in list(workers):
        worker.kill()


suite.main(tell, tidy)
