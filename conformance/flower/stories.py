"""The stories of Flower, which watches Celery: its events over AMQP, and what the management API says of the workers' queues.

Flower and a worker run in processes of their own; the stories read Flower's pages and its API.
"""

import contextlib
import html
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
from urllib.error import URLError
from urllib.request import urlopen

from celery import Celery
from kombu import Connection

import suite
from suite import AMQP_URL, Failed, eventually, same, story, unique

HERE = pathlib.Path(__file__).resolve().parent
START_SECONDS = 60  # both are slow to start on a busy machine
DEADLINE = 240


class Process:
    def __init__(self, session, name, *arguments):
        self.log = session.folder / f"{name}.log"
        self.name = name
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "tasks", *arguments],
                cwd=HERE,
                env=dict(os.environ, STORY_QUEUE=session.queue, FLOWER_UNAUTHENTICATED_API="true"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        running.add(self)

    def alive(self):
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 9)
        self.process.wait()
        running.discard(self)


running = set()


class Session:
    """A worker with a queue of its own, and Flower beside it."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="conformance-"))
        self.queue = unique("flower")
        self.app = Celery("conformance", broker=AMQP_URL, set_as_current=False)
        self.app.conf.task_default_queue = self.queue
        self.node = f"worker@{self.queue}"
        self.processes = []

    def worker(self):
        self.processes.append(Process(self, "worker", "worker", "--concurrency=1", "-E", f"--hostname={self.node}"))

    def flower(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        api = f"--broker-api={os.environ['HTTP_URL']}/api/"
        options = ["--address=127.0.0.1", f"--port={port}", "--inspect-timeout=3000", api]
        self.processes.append(Process(self, "flower", "flower", *options))
        self.url = f"http://127.0.0.1:{port}"
        eventually("Flower answers", lambda: self.page("/healthcheck"), START_SECONDS)

    def page(self, path):
        for process in self.processes:
            process.alive()
        try:
            with urlopen(self.url + path, timeout=suite.WAIT_SECONDS) as answer:
                return answer.read().decode()
        except URLError as error:
            if hasattr(error, "code") and error.code >= 500:
                raise Failed(f"{path}: {error}") from None
            return None

    def row(self):
        """The cells of the queue's row on the page of the broker; None while Flower does not know the worker's queue."""
        table = self.page("/broker") or ""
        found = re.search(rf'<tr id="{self.queue}">(.*?)</tr>', table, re.DOTALL)
        return found and [html.unescape(cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", found[1], re.DOTALL)]

    def send(self, task, *arguments):
        return self.app.send_task(task, arguments)

    def close(self):
        for process in self.processes:
            process.kill()
            print(f"--- {process.name}", process.log.read_text(errors="replace"), sep="\n", file=sys.stderr)
        with Connection(AMQP_URL) as connection:
            connection.default_channel.queue_delete(self.queue)
            for name in (self.queue, f"{self.queue}.events", f"{self.queue}.pidbox", f"reply.{self.queue}.pidbox"):
                connection.default_channel.exchange_delete(name)
        for file in self.folder.iterdir():
            file.unlink()
        self.folder.rmdir()


@story("broker-view", deadline=DEADLINE)
def broker_view(s):
    """The page of the broker shows what waits, what is being done, and how many consume: from the management API, within 2 s."""
    s.worker()
    s.flower()
    # Flower asks the workers for their queues from time to time, and a worker answers when it is up.
    eventually("Flower knows the queue", lambda: s.page("/api/workers?refresh=1") and s.row(), START_SECONDS)
    eventually("the row of an empty queue", lambda: s.row()[:5] == [s.queue, "0", "0", "0", "1"])
    for _ in range(7):
        s.send("sleep", 60)
    # One runs and is acknowledged, four are prefetched, the others wait.
    eventually("the row counts the tasks", lambda: s.row()[:5] == [s.queue, "6", "4", "2", "1"])


@story("tasks-view", deadline=DEADLINE)
def tasks_view(s):
    """Flower sees the tasks by their events, through a queue of its own."""
    s.worker()
    s.flower()
    eventually("Flower sees the worker", lambda: s.node in (s.page("/api/workers?refresh=1") or ""), START_SECONDS)
    task = s.send("sleep", 0)

    def state():
        return json.loads(s.page("/api/tasks") or "{}").get(task.id, {}).get("state")

    eventually("the task succeeded", lambda: state() == "SUCCESS", 20)


def tell(body):
    with contextlib.closing(Session()) as session:
        body(session)


def tidy():
    for process in list(running):
        process.kill()


suite.main(tell, tidy)
