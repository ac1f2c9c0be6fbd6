"""What the stories of the Python clients share: the registry with its deadlines, and ways to wait."""

import os
import random
import secrets
import signal
import socket
import sys
import threading
import time
import traceback
from urllib.parse import quote, unquote, urlsplit

AMQP_URL = os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2F")
STORY_SECONDS = 240
WAIT_SECONDS = 60  # a busy machine is slow

parts = urlsplit(AMQP_URL)
USER = unquote(parts.username or "guest")
VHOST = unquote(parts.path[1:]) or "/"

# Around the biggest body frame that fits into the usual frame-max of 131072, and 10 MB.
BODY_SIZES = [0, 1, 131063, 131064, 131065, 131072, 10 * 1024 * 1024]

stories = {}


class NotOffered(Exception):
    """The client has no API for what a story needs."""


class Failed(AssertionError):
    """An expectation was not met."""


def story(name, deadline=STORY_SECONDS):
    def register(body):
        stories[name] = body, deadline
        return body

    return register


def unique(what):
    return f"conformance-{what}-{secrets.token_hex(6)}"


def same(actual, expected, what):
    """Compares values and their types, also inside of tables and arrays."""
    if shape(actual) != shape(expected):
        raise Failed(f"{what}: {abbreviate(actual)} instead of {abbreviate(expected)}")


def shape(value):
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [shape(each) for each in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    kind = next((kind for kind in (bool, int, float, str) if isinstance(value, kind)), type(value))
    return kind.__name__, value


def abbreviate(value):
    text = repr(value)
    return text if len(text) <= 400 else f"{text[:380]}... ({len(text)} characters)"


def check(condition, what):
    if not condition:
        raise Failed(what)


def eventually(what, probe, seconds=WAIT_SECONDS):
    """Polls until `probe` gives something true, which is returned."""
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return found


def body_of(size):
    return random.Random(size).randbytes(size)


def proxy_url():
    return os.environ["PROXY_URL"]


def proxy(command):
    """Has the proxy freeze, thaw or cut what goes through it."""
    host, _, port = os.environ["PROXY_CONTROL"].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=WAIT_SECONDS) as control:
        control.sendall(f"{command}\n".encode())
        answer = control.makefile().readline().strip()
    same(answer, "ok", f"the proxy's answer to {command}")


def variant(url=AMQP_URL, user=None, password=None, vhost=None, query=None):
    """The URL with some parts replaced."""
    split = urlsplit(url)
    address = split.netloc.rpartition("@")[2]
    credentials = split.netloc.rpartition("@")[0]
    if user is not None:
        credentials = f"{quote(user, safe='')}:{quote(password, safe='')}"
    path = split.path if vhost is None else f"/{quote(vhost, safe='')}"
    return split._replace(netloc=f"{credentials}@{address}", path=path, query=query or split.query).geturl()


def errors(queue, locked, vhost):
    """The code and text due for each mistake of the story `errors`."""
    return {
        "consume": (404, f"NOT_FOUND - no queue '{queue}' in vhost '{VHOST}'"),
        "redeclare": (
            406,
            f"PRECONDITION_FAILED - inequivalent arg 'durable' for queue '{queue}' in vhost '{VHOST}': "
            "received 'false' but current is 'true'",
        ),
        "delete": (403, f"ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '{VHOST}' not allowed"),
        "exclusive": (
            405,
            f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{locked}' in vhost '{VHOST}'.",
        ),
        "vhost": (530, f"NOT_ALLOWED - vhost {vhost} not found"),
        "login": (
            403,
            "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. "
            "For details see the broker logfile.",
        ),
    }


def same_error(code, text, expected, what):
    same(code, expected[0], f"code of {what}")
    check(text.startswith(expected[1]), f"text of {what}: {text!r} instead of {expected[1]!r}")


def same_deaths(deaths, expected, now):
    """Checks x-death against (queue, reason, count, exchange, routing keys) for each entry."""
    found = [(d["queue"], d["reason"], d["count"], d["exchange"], list(d["routing-keys"])) for d in deaths]
    same(found, expected, "x-death")
    for death in deaths:
        check(abs(death["time"].timestamp() - now) < 60, f"x-death time {death['time']} is not now")


def main(tell, tidy=lambda: None):
    """Tells the stories named as arguments, or all, and exits.

    `tell` runs the body of one; `tidy` ends what stories that hang may have left behind.
    """

    def leave(code):
        tidy()
        sys.stderr.flush()
        os._exit(code)  # not held up by a story that hangs

    signal.signal(signal.SIGTERM, lambda *_: leave(143))
    unknown = [name for name in sys.argv[1:] if name not in stories]
    if unknown:
        sys.exit(f"no such story: {' '.join(unknown)}")
    passed = failed = 0
    for name in sys.argv[1:] or stories:
        good, detail = tell_within_deadline(tell, *stories[name])
        if good:
            passed += 1
            print(f"ok {name}{f' ({detail})' if detail else ''}", flush=True)
        else:
            failed += 1
            print(f"FAIL {name}: {detail}", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    leave(1 if failed else 0)


def tell_within_deadline(tell, body, deadline):
    verdicts = []
    teller = threading.Thread(target=lambda: verdicts.append(attempt(tell, body)), daemon=True)
    teller.start()
    teller.join(deadline)
    if verdicts:
        return verdicts[0]
    frame = sys._current_frames().get(teller.ident)
    return False, f"not done within {deadline} s (at {place(traceback.extract_stack(frame)) if frame else 'its end'})"


def place(steps):
    """The innermost line that is the story's own."""
    mine = [f"stories.py:{step.lineno}" for step in steps if step.filename.endswith("stories.py")]
    return mine[-1] if mine else "an unknown place"


def attempt(tell, body):
    try:
        tell(body)
    except NotOffered as why:
        return True, f"not offered by the client: {why}"
    except BaseException as error:  # whatever it is, the other stories go on
        traceback.print_exc()
        name = "" if isinstance(error, Failed) else f"{type(error).__name__}: "
        return False, " ".join(f"{name}{error} (at {place(traceback.extract_tb(error.__traceback__))})".split())
    return True, ""
