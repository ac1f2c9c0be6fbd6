"""RabbitMQ's PerfTest, as people run it: so many messages, and what it says of them at its end. Speed is not looked at."""

import os
import re
import subprocess
from base64 import b64encode
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import suite
from suite import AMQP_URL, Failed, check, same, story, unique

JAVA = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-cp", os.environ["PERF_TEST_JARS"]]
API = urlsplit(os.environ["HTTP_URL"])
running = set()


def perf_test(*arguments):
    """Its lines; it ends by itself."""
    command = [*JAVA, "com.rabbitmq.perf.PerfTest", "--uri", AMQP_URL, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    running.add(process)
    try:
        said, _ = process.communicate(timeout=suite.STORY_SECONDS / 2)
    except subprocess.TimeoutExpired:
        raise Failed(f"it does not end: {process.kill() or process.communicate()[0][-1000:]}") from None
    finally:
        running.discard(process)
    same(process.returncode, 0, f"exit code, after {said[-1000:]}")
    check("Exception" not in said, said[-1000:])
    return said


def rates(said):
    """The averages that it tells at its end: they are there, and are numbers."""
    for side in ("sending", "receiving"):
        check(re.search(rf"{side} rate avg: [1-9]\d* msg/s", said), f"no {side} rate: {said[-1000:]}")


@story("confirms")
def confirms(s):
    """Two producers and one consumer, for each of two would wait for its share; confirms in a window, several acks at once, persistent messages."""
    flags = "-x 2 -y 1 --confirm 100 --qos 200 --multi-ack-every 50 --flag persistent --flag mandatory --size 1000 --auto-delete false".split()
    said = perf_test(*flags, "--queue", s, "--exchange", s, "--queue-args", "x-max-length=100000", "--pmessages", 2000, "--cmessages", 4000)
    rates(said)
    check(not re.search(r"returned: [1-9]", said), said[-1000:])
    check("consumer latency min/median" in said, f"no latencies: {said[-1000:]}")


@story("quorum-queue-declared-before")
def quorum(s):
    flags = ["--queue", s, "--exchange", s, "--quorum-queue", "--auto-delete", "false"]
    rates(perf_test(*flags, "-x", 1, "-y", 1, "--pmessages", 1000, "--cmessages", 1000))
    rates(perf_test("--predeclared", "--queue", s, "--exchange", "amq.default", "--routing-key", s, "--pmessages", 1000, "--cmessages", 1000))


@story("many-queues")
def many(s):
    """A pattern makes ten queues, each with a producer and a consumer."""
    flags = ["--exchange", s, "--queue-pattern", f"{s}-%d", "--queue-pattern-from", 1, "--queue-pattern-to", 10, "--producers", 10, "--consumers", 10]
    rates(perf_test(*flags, "--pmessages", 100, "--cmessages", 100, "--exclusive"))


def tell(body):
    name = unique("perf-test")
    try:
        body(name)
    finally:
        for kind in ("queues", "exchanges"):
            delete(kind, name)


def delete(kind, name):
    """PerfTest keeps an exchange, and a queue that is not auto-delete."""
    request = Request(f"http://{API.hostname}:{API.port}/api/{kind}/{quote(suite.VHOST, safe='')}/{name}", method="DELETE")
    request.add_header("Authorization", "Basic " + b64encode(f"{API.username}:{API.password}".encode()).decode())
    try:
        urlopen(request, timeout=suite.WAIT_SECONDS).close()
    except HTTPError as error:
        same(error.code, 404, f"status for DELETE of {kind}")


def tidy():
    for process in list(running):
        process.kill()


suite.main(tell, tidy)
