"""A Celery worker and Flower, set up as for RabbitMQ: tasks run, Flower's page of the broker has the queue."""
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

BROKER = "amqp://celery:celery@localhost:5672//"
API = "http://celery:celery@localhost:15672/api/"

folder = pathlib.Path(tempfile.mkdtemp(prefix="leveret-celery-"))
(folder / "project.py").write_text(f"""
from celery import Celery
app = Celery("project", broker={BROKER!r}, backend="rpc://")
@app.task
def add(a, b):
    return a + b
""")
environment = dict(os.environ, PYTHONPATH=str(folder))
started = []


def start(*words):
    log = open(folder / f"{len(started)}.log", "wb")
    started.append(subprocess.Popen([sys.executable, "-m", "celery", "-A", "project", *words], cwd=folder, env=environment,
                                    stdout=log, stderr=subprocess.STDOUT))


def eventually(what, look, seconds=60):
    end = time.monotonic() + seconds
    while True:
        try:
            found = look()
            if found:
                return found
            error = found
        except Exception as failure:  # noqa: BLE001 - whatever it is, it may be over soon
            error = failure
        if time.monotonic() > end:
            for number in range(len(started)):
                print((folder / f"{number}.log").read_text()[-3000:])
            sys.exit(f"{what}: {error!r}")
        time.sleep(0.2)


def fetch(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


try:
    start("worker", "--loglevel=INFO", "--concurrency=1", "--pool=solo", "-E")
    start("flower", f"--broker-api={API}", "--port=5555", "--address=127.0.0.1")
    sys.path.insert(0, str(folder))
    from project import add

    assert add.delay(2, 3).get(timeout=60) == 5
    print("a task has its result")
    assert [it.get(timeout=60) for it in [add.delay(n, n) for n in range(50)]] == [2 * n for n in range(50)]
    eventually("Flower's page of the broker", lambda: "celery" in fetch("http://127.0.0.1:5555/broker"))
    page = fetch("http://127.0.0.1:5555/broker")
    assert "Unable to get" not in page and ">celery<" in page.replace(" ", "").replace("\n", ""), page
    eventually("Flower sees the worker", lambda: "celery@" in fetch("http://127.0.0.1:5555/workers"))
    print("Flower has the queue and the worker")
finally:
    for process in started:
        process.terminate()
    for process in started:
        process.wait(20)
