"""Tasks that report to the tests, and programs that publish them. They run in the tested project."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.project import BakedProject

# Two queues, and beat.
ANSWERS: dict[str, str | bool] = {
    "queues": "default:2, other:1",
    "beat_jobs": "tick = every 1h -> other",
    "examples": False,
    # Without digests, so that local images with the same names can replace the public images.
    "ci": "none",
}

# A task that reports its start and its end in Redis, and can wait for a signal of the test.
TASK = '''

@shared_task(ignore_result=False)
def report(name: str, seconds: float = 0, *, wait: bool = False) -> str:
    """Run for some seconds, or until the test releases the task."""
    import time

    from celery import current_app

    redis = current_app.backend.client
    redis.rpush(f"started:{name}", "1")
    while wait and not redis.blpop([f"release:{name}"], timeout=2):
        pass
    time.sleep(seconds)
    redis.rpush("finished", name)
    return name
'''

PREAMBLE = """
import json, sys, time
from SLUG.celery_app import app
from SLUG.queues import QueueName
redis = app.backend.client

def send(queue, *args, **kwargs):
    return app.send_task("SLUG.tasks.MODULE.report", args, kwargs, queue=queue, ignore_result=False)

"""

STOP_LOAD = 'redis.set("stop_load", 1)\nanswer = None'

PING_ALL_QUEUES = """
submissions = {queue.value: (time.monotonic(), send(queue.value, "ping")) for queue in QueueName}
answer = {}
for queue, (sent, result) in submissions.items():
    assert result.get(timeout=60) == "ping"
    answer[queue] = round(time.monotonic() - sent, 2)
"""

# Publishes a task of one or three seconds every 0.25 s until STOP_LOAD runs. Prints the lost and the repeated tasks.
LOAD = """
redis.delete("finished", "stop_load")
results = []
while not redis.exists("stop_load"):
    number = len(results)
    results.append(send(list(QueueName)[number % 2].value, f"load-{number}", 1.0 if number % 4 else 3.0))
    if number == 20:
        print("under load", flush=True)
    time.sleep(0.25)
until = time.monotonic() + 240
lost = []
for number, result in enumerate(results):
    try:
        assert result.get(timeout=max(1, until - time.monotonic())) == f"load-{number}"
    except Exception as error:
        lost.append(f"{number}: {error!r}")
finished = [name.decode() for name in redis.lrange("finished", 0, -1)]
answer = {"sent": len(results), "lost": lost, "runs": len(finished), "distinct": len(set(finished))}
"""


def add_test_task(project: BakedProject) -> None:
    """Add the task to the module of the first queue."""
    project.append(f"tasks/{get_first_module(project)}.py", TASK)


def get_first_module(project: BakedProject) -> str:
    """Return the module of the first queue."""
    return str(project.answers["queues"]).split(":", maxsplit=1)[0].replace("-", "_")


def build_program(project: BakedProject, code: str) -> str:
    """Return a Python program that runs code, and prints its variable `answer` as JSON in the last line."""
    preamble = PREAMBLE.replace("SLUG", project.slug).replace("MODULE", get_first_module(project))
    return f"{preamble}{code}\nprint(json.dumps(answer), flush=True)\n"


def wait_for_start(name: str) -> str:
    """Return Python code that waits until a task runs."""
    return f'assert redis.blpop(["started:{name}"], timeout=60), "it did not start"\n'
