"""Every task has a queue, every queue has a worker, and a misspelt queue is an error."""

import pkgutil
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from {{ cookiecutter.project_slug }} import tasks
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping

from .conftest import ENVIRONMENT, Ran

FIRST = next(iter(QueueName))
PACKAGE = Path(tasks.__path__[0])


def own_tasks() -> list[str]:
    """Return the registered tasks that are not Celery's own."""
    app.loader.import_default_modules()
    return [name for name in app.tasks if name.startswith("{{ cookiecutter.project_slug }}.")]


def queue_of(task: str) -> str:
    """Return the queue that a task is sent to when its caller names none."""
    return str(app.amqp.router.route({}, task)["queue"].name)


def test_a_task_runs_on_the_queue_of_its_module() -> None:
    routed = [task for task in own_tasks() if task.startswith("{{ cookiecutter.project_slug }}.tasks.")]
    assert ping.name in routed
    for task in routed:
        module = task.split(".")[2]
        assert queue_of(task) == QueueName[module.upper()]


def test_each_task_has_a_route() -> None:
    unrouted = [task for task in own_tasks() if not app.amqp.router.lookup_route(task)]
{% if plan().features.examples %}
    unrouted = [task for task in unrouted if not task.startswith("{{ cookiecutter.project_slug }}.examples.")]
{% endif %}
    assert unrouted == [], "add their modules to TASK_ROUTES in queues.py"


def test_a_queue_has_a_module_of_tasks() -> None:
    modules = {module.name for module in pkgutil.iter_modules([str(PACKAGE)])}
    for name, queue in QueueName.__members__.items():
        missing = f"tasks/{name.lower()}.py is missing for the queue {queue}: write its docstring and its tasks there"
        assert name.lower() in modules, missing
    for module in modules:
        assert module.upper() in QueueName.__members__, f"tasks/{module}.py has no queue: add {module} to queues.py"


def test_the_readme_has_each_queue() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    for queue in QueueName:
        copy = f"README.md, 'Architecture': copy what it has for {FIRST}, and write {queue} instead"
        assert re.search(rf"^\| `{queue}` \|", readme, re.MULTILINE), f"a row of the table is missing in {copy}"
        assert f"|{queue}|" in readme, f"an arrow of the diagram is missing in {copy}"


def test_a_task_without_a_route_goes_to_the_first_queue() -> None:
    assert queue_of("somewhere.else") == FIRST


def test_who_imports_a_task_has_its_application() -> None:
    script = "from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping; print(ping.app.main)"
    caller = subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert caller.stdout == "{{ cookiecutter.project_slug }}\n"


def test_a_task_has_its_application_in_every_thread() -> None:
    with ThreadPoolExecutor() as threads:
        assert threads.submit(lambda: ping.app).result() is app


def test_a_misspelt_queue_is_an_error() -> None:
    with pytest.raises(Exception, match="misspelt"):
        ping.apply_async(queue="misspelt")


@pytest.mark.integration
@pytest.mark.parametrize("queue", QueueName)
def test_a_task_sent_to_any_queue_runs(queue: QueueName, outcome: Ran) -> None:
    assert outcome(ping.apply_async(queue=queue).id) == "SUCCESS"
