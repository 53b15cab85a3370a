"""Tasks that say what became of them, and programs that send them: they run inside of what is tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.project import BakedProject

# Both queues are used, and a beat is there.
ANSWERS: dict[str, str | bool] = {
    "queues": "default:2, other:1",
    "beat_jobs": "tick = every 1h -> other",
    "examples": False,
    # Without digests, so that local images with the same names can replace the public images.
    "ci": "none",
}

# It tells when it starts, and ends when it may; or it takes its time. What it did is counted outside of results.
TASK = '''

@shared_task(ignore_result=False)
def work(name: str, seconds: float = 0, *, held: bool = False) -> str:
    """Take some time, or all that a test wants."""
    import time

    from celery import current_app

    redis = current_app.backend.client
    redis.rpush(f"started:{name}", "1")
    while held and not redis.blpop([f"release:{name}"], timeout=2):
        pass
    time.sleep(seconds)
    redis.rpush("finished", name)
    return name
'''

START = """
import json, sys, time
from SLUG.celery_app import app
from SLUG.queues import QueueName
redis = app.backend.client

def send(queue, *args, **kwargs):
    return app.send_task("SLUG.tasks.MODULE.work", args, kwargs, queue=queue, ignore_result=False)

"""

ENOUGH = 'redis.set("enough", 1)\nanswer = None'

PING_EVERYWHERE = """
waits = {queue.value: (time.monotonic(), send(queue.value, "ping")) for queue in QueueName}
answer = {}
for queue, (sent, result) in waits.items():
    assert result.get(timeout=60) == "ping"
    answer[queue] = round(time.monotonic() - sent, 2)
"""

# Sends a task every quarter of a second, most of a second and some of three, until it is told that it is enough;
# and says how many came back.
LOAD = """
redis.delete("finished", "enough")
results = []
while not redis.exists("enough"):
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
answer = {"sent": len(results), "lost": lost, "runs": len(finished), "different": len(set(finished))}
"""


def give_work(project: BakedProject) -> None:
    """Add the task to the module of the first queue."""
    module = project.package / "tasks" / f"{first_module(project)}.py"
    module.write_text(module.read_text(encoding="utf-8") + TASK, encoding="utf-8")


def first_module(project: BakedProject) -> str:
    """The module of the first queue."""
    return str(project.answers["queues"]).split(":", maxsplit=1)[0].replace("-", "_")


def program(project: BakedProject, code: str) -> str:
    """Python that runs with the project and prints `answer` as JSON in its last line."""
    start = START.replace("SLUG", project.slug).replace("MODULE", first_module(project))
    return f"{start}{code}\nprint(json.dumps(answer), flush=True)\n"


def wait_until_started(name: str) -> str:
    """Python that waits until a held task runs."""
    return f'assert redis.blpop(["started:{name}"], timeout=60), "it did not start"\n'
