"""Every task has a queue, every queue has a worker, and a misspelt queue is an error."""

import pkgutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from {{ cookiecutter.project_slug }} import tasks
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping

from .conftest import ENVIRONMENT, Ran


def own_tasks() -> list[str]:
    """The registered tasks that are not Celery's own."""
    app.loader.import_default_modules()
    return [name for name in app.tasks if name.startswith("{{ cookiecutter.project_slug }}.")]


def queue_of(task: str) -> str:
    """The queue that a task is sent to when its caller names none."""
    return str(app.amqp.router.route({}, task)["queue"].name)


def test_a_task_runs_on_the_queue_of_its_module() -> None:
    routed = [task for task in own_tasks() if task.startswith("{{ cookiecutter.project_slug }}.tasks.")]
    assert ping.name in routed
    for task in routed:
        module = task.split(".")[2]
        assert queue_of(task) == QueueName[module.upper()]


def test_a_module_of_tasks_belongs_to_a_queue() -> None:
    modules = {module.name for module in pkgutil.iter_modules(tasks.__path__)}
    assert modules == {name.lower() for name in QueueName.__members__}


def test_a_task_without_a_route_goes_to_the_first_queue() -> None:
    assert queue_of("somewhere.else") == next(iter(QueueName))


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
