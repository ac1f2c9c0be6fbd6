"""The application: what the worker runs and the stories call.

The worker gets its configuration as JSON in STORY_CONFIG, the stories make an application of their own each.
"""

import json
import os
import time

from celery import Celery


def application(config):
    app = Celery("conformance", set_as_current=False)
    app.conf.update(config)
    for function, options in TASKS:
        app.task(function, name=function.__name__, **options)
    return app


def add(x, y):
    return x + y


def total(numbers):
    return sum(numbers)


def fail():
    raise ValueError("on purpose")


def flaky(self, failures):
    """Fails that many times before it tells how often it has been tried again."""
    if self.request.retries < failures:
        raise self.retry(countdown=1, max_retries=failures)
    return self.request.retries


def now():
    return time.time()


def where(self):
    return self.request.hostname, self.request.delivery_info


def note(self, path, seconds=0.0, again=0.0, until=None):
    """Writes down when it begins and when it has slept; `again` is how long it sleeps when redelivered, `until` a file that it waits for."""
    redelivered = bool(self.request.delivery_info.get("redelivered"))
    write(path, f"begin {self.request.id} {redelivered}")
    time.sleep(again if redelivered else seconds)
    while until and not os.path.exists(until):
        time.sleep(0.02)
    write(path, f"end {self.request.id}")


def write(path, line):
    with open(path, "a") as file:
        file.write(f"{line}\n")


TASKS = [
    (add, {}),
    (total, {}),
    (fail, {}),
    (flaky, {"bind": True}),
    (now, {}),
    (where, {"bind": True}),
    (note, {"bind": True}),
]

if "STORY_CONFIG" in os.environ:
    app = application(json.loads(os.environ["STORY_CONFIG"]))
