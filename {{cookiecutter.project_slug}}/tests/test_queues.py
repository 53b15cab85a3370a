"""Tests of the queues, their routes, modules and rows in the README."""

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

from .conftest import ENVIRONMENT, WaitForTask

FIRST = next(iter(QueueName))
PACKAGE = Path(tasks.__path__[0])


def list_project_tasks() -> list[str]:
    """Return the names of the registered tasks without Celery's."""
    app.loader.import_default_modules()
    return [name for name in app.tasks if name.startswith("{{ cookiecutter.project_slug }}.")]


def get_default_queue(task: str) -> str:
    """Return the queue to which a task is published by default."""
    return str(app.amqp.router.route({}, task)["queue"].name)


def test_task_is_routed_to_the_queue_of_its_module() -> None:
    routed = [task for task in list_project_tasks() if task.startswith("{{ cookiecutter.project_slug }}.tasks.")]
    assert ping.name in routed
    for task in routed:
        module = task.split(".")[2]
        assert get_default_queue(task) == QueueName[module.upper()]


def test_tasks_have_a_route() -> None:
    unrouted = [task for task in list_project_tasks() if not app.amqp.router.lookup_route(task)]
{% if plan().features.examples %}
    unrouted = [task for task in unrouted if not task.startswith("{{ cookiecutter.project_slug }}.examples.")]
{% endif %}
    assert unrouted == [], "add their modules to TASK_ROUTES in queues.py"


def test_queue_has_a_module() -> None:
    modules = {module.name for module in pkgutil.iter_modules([str(PACKAGE)])}
    for name, queue in QueueName.__members__.items():
        path = f"src/{{ cookiecutter.project_slug }}/tasks/{name.lower()}.py"
        assert name.lower() in modules, f"{path}: create this module for the queue {queue}"
    for module in modules:
        assert module.upper() in QueueName.__members__, f"queues.py: add the queue of the module tasks/{module}.py"


def test_readme_contains_the_queues() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    for queue in QueueName:
        places = {
            "row in the table": rf"^\| `{queue}` \|",
            "arrow from the broker": rf"\|{queue}\|",
{% if plan().features.results %}
            "arrow to the results": rf"\b{queue.name.lower()}_worker\b.* --> results",
{% endif %}
        }
        missing = [place for place, pattern in places.items() if not re.search(pattern, readme, re.MULTILINE)]
        assert not missing, f"README.md: copy from {FIRST} for {queue}: {', '.join(missing)}"
{% if plan().features.redis %}


def test_the_documented_permissions_contain_the_queues() -> None:
    operations = (Path(__file__).parent.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    for patterns in re.findall(r'^QUEUES="(.*)"$', operations, re.MULTILINE):
        missing = [f"~{queue}*" for queue in QueueName if f"~{queue}*" not in patterns.split()]
        assert not missing, f"docs/operations.md: add to QUEUES: {' '.join(missing)}"
{% endif %}


def test_task_without_a_route_uses_the_first_queue() -> None:
    assert get_default_queue("somewhere.else") == FIRST


def test_imported_task_has_the_application() -> None:
    script = "from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping; print(ping.app.main)"
    child = subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert child.stdout == "{{ cookiecutter.project_slug }}\n"


def test_task_has_the_application_in_every_thread() -> None:
    with ThreadPoolExecutor() as threads:
        assert threads.submit(lambda: ping.app).result() is app


def test_misspelled_queue_is_an_error() -> None:
    with pytest.raises(Exception, match="misspelled"):
        ping.apply_async(queue="misspelled")


@pytest.mark.integration
@pytest.mark.parametrize("queue", QueueName)
def test_task_runs_on_queue(queue: QueueName, wait_for_task: WaitForTask) -> None:
    assert wait_for_task(ping.apply_async(queue=queue).id) == "SUCCESS"
