"""What the worker of the stories runs."""

import os
import time

from celery import Celery

app = Celery("tasks", broker=os.environ["AMQP_URL"])
queue = os.environ["STORY_QUEUE"]
app.conf.update(
    task_default_queue=queue,
    control_exchange=queue,
    event_exchange=f"{queue}.events",
    event_queue_prefix=f"{queue}.events",
)


@app.task(name="sleep")
def sleep(seconds):
    time.sleep(seconds)
