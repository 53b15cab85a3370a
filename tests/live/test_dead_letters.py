"""Dead letters of failed, unknown and poisonous tasks on each broker, and their replay."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import count
from tests.live.api import start_api
from tests.live.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.project import BakedProject
    from tests.support.servers import Servers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("patterns")]

# Tasks that fail until a file exists, kill their process, or cannot be published.
TASKS = """

@shared_task
def fragile(path: str, *, note: str) -> None:
    from pathlib import Path

    if not Path(path).exists():
        raise LookupError(path)
    print("repaired", note, flush=True)


@shared_task(max_retries=0)
def poison() -> None:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)


@shared_task(bind=True)
def unserializable_retry(self, thing: object = None) -> None:
    raise self.retry(args=[object()], countdown=1)


@shared_task(bind=True)
def retry_on_full_broker(self, path: str) -> None:
    from pathlib import Path
    from unittest.mock import patch

    from kombu.exceptions import OperationalError

    if not Path(path).exists():
        Path(path).touch()
        with patch.object(self.app.amqp, "send_task_message", side_effect=OperationalError("the broker is full")):
            raise self.retry(countdown=1)
    print("retried", self.request.retries, flush=True)


@shared_task
def unstorable(path: str) -> None:
    from pathlib import Path

    from letters import dead_letter_store

    store = dead_letter_store.store_dead_letter

    def refuse(*_: object) -> None:
        dead_letter_store.store_dead_letter = store
        raise OSError("no space left")

    if not Path(path).exists():
        Path(path).touch()
        dead_letter_store.store_dead_letter = refuse
    raise LookupError(path)
"""


@pytest.fixture(scope="module", params=["redis", "rabbitmq", "sqs"])
def project(request: pytest.FixtureRequest, bake: Bakery, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """Return a project with tasks that fail."""
    framework = "fastapi" if request.param == "sqs" else "none"
    answers = {"framework": framework, "broker": request.param, "result_backend": "none", "beat_jobs": ""}
    queues = "default:2, other:2@threads"
    shared = bake(project_name="Letters", queues=queues, examples=False, **answers)
    baked = shared.copy_to(tmp_path_factory.mktemp("letters"))
    baked.append("tasks/default.py", TASKS)
    base_task = baked.package / "base_task.py"
    pause = re.sub(r"^REQUEUE_DELAY = .*", "REQUEUE_DELAY = 0.5", base_task.read_text(), flags=re.MULTILINE)
    base_task.write_text(pause, encoding="utf-8")
    if request.param == "sqs":
        # Short enough for the test, but longer than the detection of a killed process.
        template = baked.path / "deploy" / "aws" / "queues.yaml"
        short = re.sub(r"VisibilityTimeout: \d+", "VisibilityTimeout: 8", template.read_text(encoding="utf-8"))
        template.write_text(short.replace("maxReceiveCount: 10", "maxReceiveCount: 1"), encoding="utf-8")
    return baked


@pytest.fixture
def service(project: BakedProject, environment: Environment, servers: Servers) -> Iterator[Service]:
    """Run a worker with two processes, on unused queues."""
    with Service(project, environment, servers.variables(project)) as running:
        running.start_worker("default")
        yield running


def run_dead_letters(service: Service, *arguments: str) -> str:
    """Return the output of the command for dead letters."""
    completed = service.project.run(
        *("python", "-m", "letters.dead_letters", *arguments),
        environment=service.environment,
        variables=service.variables,
    )
    return completed.stdout


def wait_for_dead_letters(service: Service, number: int) -> list[Any]:
    """Return the dead letters when their number is `number`."""
    found: list[Any] = []

    def is_complete() -> bool:
        found[:] = json.loads(run_dead_letters(service, "list", "--json"))
        return len(found) == number

    service.wait_until(is_complete, interval=0.3)
    return found


def test_a_failed_task_is_a_dead_letter_and_runs_after_a_replay(
    service: Service, request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    repaired = service.project.path / "repaired"
    sent = service.run_python(
        "from letters.tasks.default import fragile\n"
        f"answer = [fragile.delay({str(repaired)!r}, note='one').id,\n"
        # RabbitMQ routes a delayed message through other queues. The expiry must not apply after the replay.
        f"          fragile.apply_async(({str(repaired)!r},), {{'note': 'two'}}, countdown=1, expires=5).id]"
    )

    found = wait_for_dead_letters(service, 2)
    assert {letter["id"] for letter in found} == set(sent)
    assert {letter["queue"] for letter in found} == {"default"}
    shown = json.loads(run_dead_letters(service, "show", sent[0]))
    assert shown["attempts"] == 1
    assert shown["traceback"].startswith("Traceback (most recent call last):\n")
    assert "raise LookupError(path)" in shown["traceback"]
    assert shown["kwargs"] == {"note": "one"}
    assert shown["reason"] == f"LookupError({str(repaired)!r})"
    # Reading does not remove them.
    wait_for_dead_letters(service, 2)

    repaired.touch()
    time.sleep(5)
    assert run_dead_letters(service, "replay", "--all") == "replayed 2 tasks\n"
    service.workers["default"].wait_for_line("repaired one")
    service.workers["default"].wait_for_line("repaired two")
    wait_for_dead_letters(service, 0)


@pytest.mark.parametrize("project", ["redis", "rabbitmq"], indirect=True)  # SQS redelivers only after a timeout
def test_an_unpublished_retry_is_a_failure_or_is_requeued(service: Service) -> None:
    tried = service.project.path / "tried"
    (impossible, _) = service.run_python(
        "from letters.tasks.default import retry_on_full_broker, unserializable_retry\n"
        f"answer = [unserializable_retry.delay().id, retry_on_full_broker.delay({str(tried)!r}).id]"
    )

    service.workers["default"].wait_for_line("task failed")
    service.workers["default"].wait_for_line("retry not published, task requeued")
    service.workers["default"].wait_for_line("retried 0")
    (letter,) = wait_for_dead_letters(service, 1)
    assert letter["id"] == impossible
    assert "not JSON serializable" in letter["reason"]


@pytest.mark.parametrize("project", ["redis"], indirect=True)  # RabbitMQ stores dead letters itself
@pytest.mark.parametrize("queue", ["default", "other"])
def test_a_failure_is_requeued_until_its_dead_letter_is_stored(service: Service, queue: str) -> None:
    tried = service.project.path / f"kept-{queue}"
    if queue != "default":
        service.start_worker(queue)
    task_id = service.run_python(
        "from letters.tasks.default import unstorable\n"
        f"answer = unstorable.apply_async(({str(tried)!r},), queue={queue!r}).id"
    )

    service.workers[queue].wait_for_line("dead letter not stored, task requeued")
    (letter,) = wait_for_dead_letters(service, 1)
    assert letter["id"] == task_id


FAILURE = "from letters.tasks.default import fragile\nanswer = fragile.delay('nowhere', note='').id"


@pytest.mark.parametrize("project", ["redis", "rabbitmq"], indirect=True)  # SQS limits the age only
def test_too_many_dead_letters_drop_the_oldest(
    project: BakedProject, environment: Environment, servers: Servers
) -> None:
    variables = servers.variables(project) | {"DEAD_LETTERS_MAX_COUNT": "2"}
    with Service(project, environment, variables) as service:
        service.start_worker("default")
        sent = []
        for kept in (1, 2):
            sent.append(service.run_python(FAILURE))
            wait_for_dead_letters(service, kept)
        sent.append(service.run_python(FAILURE))

        service.wait_until(lambda: [letter["id"] for letter in wait_for_dead_letters(service, 2)] == sent[1:])


@pytest.mark.parametrize("project", ["rabbitmq"], indirect=True)
def test_an_existing_queue_of_dead_letters_keeps_its_limits(
    project: BakedProject, environment: Environment, servers: Servers
) -> None:
    with Service(project, environment, servers.variables(project)) as service:
        task_id = service.run_python(
            "from kombu import Queue\n"
            "from letters.celery_app import app\n"
            "from letters.quorum import DEAD_LETTER_ARGUMENTS\n"
            "without = {name: DEAD_LETTER_ARGUMENTS[name] for name in ('x-queue-type', 'x-delivery-limit')}\n"
            "with app.connection_for_write() as connection:\n"
            "    Queue('dead_letters', queue_arguments=without)(connection.default_channel).declare()\n" + FAILURE
        )
        service.start_worker("default").wait_for_line(
            "queue arguments not changed until the queue is deleted: dead_letters"
        )

        (letter,) = wait_for_dead_letters(service, 1)
        assert letter["id"] == task_id


def test_a_task_that_kills_its_process_is_a_dead_letter(service: Service) -> None:
    task_id = service.run_python("from letters.tasks.default import poison\nanswer = poison.delay().id")

    (letter,) = wait_for_dead_letters(service, 1)
    assert (letter["id"], letter["task"], letter["queue"]) == (task_id, "letters.tasks.default.poison", "default")
    assert "WorkerLostError" in letter["reason"]


def test_an_unknown_task_is_a_dead_letter_until_it_is_discarded(service: Service) -> None:
    task_id = service.run_python(
        "from letters.celery_app import app\nanswer = app.send_task('letters.tasks.gone', (1,), queue='default').id"
    )

    (letter,) = wait_for_dead_letters(service, 1)
    assert (letter["id"], letter["args"]) == (task_id, [1])
    if "sqs" not in service.variables["CELERY_BROKER_URL"]:  # SQS moves unacknowledged messages itself
        assert "letters.tasks.gone" in letter["reason"]
    assert run_dead_letters(service, "discard", task_id) == "discarded 1 task\n"
    wait_for_dead_letters(service, 0)


@pytest.mark.parametrize("project", ["sqs"], indirect=True)  # tests/live/test_api.py tests the other brokers
def test_the_api_lists_and_replays_dead_letters_of_sqs(service: Service) -> None:
    sent = service.run_python(
        "from letters.tasks.default import fragile\n"
        "answer = [fragile.delay('nowhere', note='').id for _ in range(12)]"  # SQS returns at most ten messages
    )
    wait_for_dead_letters(service, 12)
    api = start_api(service)

    page = api.request("GET", "/dead-letters?limit=5&offset=10").json
    assert (page["total"], len(page["items"])) == (12, 2)
    shown = api.request("GET", f"/dead-letters/{sent[0]}").json
    assert (shown["args"], shown["attempts"]) == (["nowhere"], 1)
    assert "LookupError: nowhere" in shown["traceback"]
    assert api.request("POST", "/dead-letters/replay", {"ids": sent[:2]}).json == {"number": 2, "remaining": 0}
    assert api.request("POST", "/dead-letters/discard", {"ids": sent[2:]}).json == {"number": 10, "remaining": 0}
    assert {letter["id"] for letter in wait_for_dead_letters(service, 2)} == set(sent[:2])


ADMIN = """
import django
django.setup()
from django.test import Client
from letters.users.models import User
client = Client(SERVER_NAME="localhost")
client.force_login(User.objects.create_superuser("operator"))
path = "/admin/web/deadletter/"
data = {"action": "replay", "_selected_action": [TASK_ID]}
pages = [client.get(path), client.get(f"{path}{TASK_ID}/change/"), client.post(path, data, follow=True)]
answer = [page.content.decode() for page in pages]
"""


def test_the_admin_of_django_shows_and_replays_dead_letters(
    bake: Bakery,
    install_project: Callable[..., Environment],
    servers: Servers,
    tmp_path: Path,
) -> None:
    answers: dict[str, Any] = {"framework": "django", "result_backend": "none", "beat_jobs": "", "examples": False}
    project = bake(project_name="Letters", queues="default:2", **answers).copy_to(tmp_path)
    variables = {
        **servers.variables(project),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "letters.settings.development",
    }
    with Service(project, install_project(project), variables) as service:
        service.run_python(
            "from django.core.management import execute_from_command_line as run\n"
            "answer = run(['manage.py', 'migrate', '--verbosity=0'])"
        )
        service.start_worker("default")
        task_id = service.run_python(
            "from letters.celery_app import app\n"
            "answer = app.send_task('letters.tasks.default.ping', kwargs={'wrong': 1}, queue='default').id"
        )
        wait_for_dead_letters(service, 1)
        listed, shown, replayed = service.run_python(f"TASK_ID = {task_id!r}\n{ADMIN}")

    assert task_id in listed
    assert "TypeError" in shown
    assert "Traceback (most recent call last)" in shown
    assert "Replayed 1 dead letter." in replayed
