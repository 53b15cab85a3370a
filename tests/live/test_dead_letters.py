"""Where a failed, an unknown and a poisonous task ends on each real broker, and how it comes back."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import count
from tests.live.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.project import BakedProject
    from tests.support.servers import Servers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("patterns")]

# It fails until a file exists, kills its process, or says that it ran.
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
def unsendable(self, thing: object = None) -> None:
    raise self.retry(args=[object()], countdown=1)


@shared_task(bind=True)
def unlucky(self, path: str) -> None:
    from pathlib import Path
    from unittest.mock import patch

    from kombu.exceptions import OperationalError

    if not Path(path).exists():
        Path(path).touch()
        with patch.object(self.app.amqp, "send_task_message", side_effect=OperationalError("the broker is full")):
            raise self.retry(countdown=1)
    print("lucky", self.request.retries, flush=True)


@shared_task
def unkeepable(path: str) -> None:
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
    """The variant, with tasks that fail."""
    answers = {"broker": request.param, "result_backend": "none", "beat_jobs": ""}
    queues = "default:2, other:2@threads"
    shared = bake(project_name="Letters", queues=queues, examples=False, **answers)
    baked = shared.copy_to(tmp_path_factory.mktemp("letters"))
    with (baked.package / "tasks" / "default.py").open("a", encoding="utf-8") as module:
        module.write(TASKS)
    base_task = baked.package / "base_task.py"
    pause = re.sub(r"^REQUEUE_DELAY = .*", "REQUEUE_DELAY = 0.5", base_task.read_text(), flags=re.MULTILINE)
    base_task.write_text(pause, encoding="utf-8")
    if request.param == "sqs":
        # So that what nobody can run is given up within the test, but no sooner than a killed process is noticed.
        template = baked.path / "deploy" / "aws" / "queues.yaml"
        quick = re.sub(r"VisibilityTimeout: \d+", "VisibilityTimeout: 8", template.read_text(encoding="utf-8"))
        template.write_text(quick.replace("maxReceiveCount: 10", "maxReceiveCount: 1"), encoding="utf-8")
    return baked


@pytest.fixture
def service(project: BakedProject, environment: Environment, servers: Servers) -> Iterator[Service]:
    """A worker with two processes, on queues that no other test has used."""
    with Service(project, environment, servers.variables(project)) as running:
        running.start_worker("default")
        yield running


def letters(service: Service, *arguments: str, number: int = 0) -> Any:
    """What a command for dead letters prints; for a list, when there are so many."""
    until = time.monotonic() + 30
    while True:
        ran = service.project.run(
            *("python", "-m", "letters.dead_letters", *arguments),
            environment=service.environment,
            variables=service.variables,
        )
        found = json.loads(ran.stdout) if arguments[0] in {"list", "show"} else ran.stdout
        if arguments[0] != "list" or len(found) == number:
            return found
        assert time.monotonic() < until, found
        time.sleep(0.3)


def test_a_failed_task_is_kept_and_runs_when_it_is_sent_again(service: Service, request: pytest.FixtureRequest) -> None:
    count(request, "live")
    repaired = service.project.path / "repaired"
    sent = service.ask(
        "from letters.tasks.default import fragile\n"
        f"answer = [fragile.delay({str(repaired)!r}, note='one').id,\n"
        # A delay brings a message through other queues of RabbitMQ, and an expiry must not end what is sent again.
        f"          fragile.apply_async(({str(repaired)!r},), {{'note': 'two'}}, countdown=1, expires=5).id]"
    )

    found = letters(service, "list", "--json", number=2)
    assert {letter["id"] for letter in found} == set(sent)
    assert {letter["queue"] for letter in found} == {"default"}
    shown = letters(service, "show", sent[0])
    assert shown["kwargs"] == {"note": "one"}
    assert shown["reason"] == f"LookupError({str(repaired)!r})"
    # To look does not take.
    letters(service, "list", "--json", number=2)

    repaired.touch()
    time.sleep(5)
    assert letters(service, "replay", "--all") == "replayed 2 tasks\n"
    service.workers["default"].wait_for_line("repaired one")
    service.workers["default"].wait_for_line("repaired two")
    letters(service, "list", "--json", number=0)


@pytest.mark.parametrize("project", ["redis", "rabbitmq"], indirect=True)  # SQS redelivers only after a timeout
def test_a_retry_that_cannot_be_published_is_a_failure_or_is_requeued(service: Service) -> None:
    tried = service.project.path / "tried"
    (impossible, _) = service.ask(
        "from letters.tasks.default import unlucky, unsendable\n"
        f"answer = [unsendable.delay().id, unlucky.delay({str(tried)!r}).id]"
    )

    service.workers["default"].wait_for_line("task failed")
    service.workers["default"].wait_for_line("retry not published, task requeued")
    service.workers["default"].wait_for_line("lucky 0")
    (letter,) = letters(service, "list", "--json", number=1)
    assert letter["id"] == impossible
    assert "not JSON serializable" in letter["reason"]


@pytest.mark.parametrize("project", ["redis"], indirect=True)  # RabbitMQ stores dead letters itself
@pytest.mark.parametrize("queue", ["default", "other"])
def test_a_failure_is_requeued_until_its_dead_letter_is_stored(service: Service, queue: str) -> None:
    tried = service.project.path / f"kept-{queue}"
    if queue != "default":
        service.start_worker(queue)
    task_id = service.ask(
        "from letters.tasks.default import unkeepable\n"
        f"answer = unkeepable.apply_async(({str(tried)!r},), queue={queue!r}).id"
    )

    service.workers[queue].wait_for_line("dead letter not stored, task requeued")
    (letter,) = letters(service, "list", "--json", number=1)
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
            sent.append(service.ask(FAILURE))
            letters(service, "list", "--json", number=kept)
        sent.append(service.ask(FAILURE))

        until = time.monotonic() + 30
        while [letter["id"] for letter in letters(service, "list", "--json", number=2)] != sent[1:]:
            assert time.monotonic() < until
            time.sleep(0.3)


@pytest.mark.parametrize("project", ["rabbitmq"], indirect=True)
def test_an_existing_queue_of_dead_letters_keeps_its_limits(
    project: BakedProject, environment: Environment, servers: Servers
) -> None:
    with Service(project, environment, servers.variables(project)) as service:
        task_id = service.ask(
            "from kombu import Queue\n"
            "from letters.celery_app import app\n"
            "from letters.quorum import DEAD_LETTER_ARGUMENTS\n"
            "without = {name: DEAD_LETTER_ARGUMENTS[name] for name in ('x-queue-type', 'x-delivery-limit')}\n"
            "with app.connection_for_write() as connection:\n"
            "    Queue('dead_letters', queue_arguments=without)(connection.default_channel).declare()\n" + FAILURE
        )
        service.start_worker("default").wait_for_line("arguments of the queue dead_letters unchanged")

        (letter,) = letters(service, "list", "--json", number=1)
        assert letter["id"] == task_id


def test_a_task_that_kills_its_process_is_kept(service: Service) -> None:
    task_id = service.ask("from letters.tasks.default import poison\nanswer = poison.delay().id")

    (letter,) = letters(service, "list", "--json", number=1)
    assert (letter["id"], letter["task"], letter["queue"]) == (task_id, "letters.tasks.default.poison", "default")
    assert "WorkerLostError" in letter["reason"]


def test_a_task_that_no_worker_knows_is_kept_until_it_is_discarded(service: Service) -> None:
    task_id = service.ask(
        "from letters.celery_app import app\nanswer = app.send_task('letters.tasks.gone', (1,), queue='default').id"
    )

    (letter,) = letters(service, "list", "--json", number=1)
    assert (letter["id"], letter["args"]) == (task_id, [1])
    if "sqs" not in service.variables["CELERY_BROKER_URL"]:  # SQS itself moves what is never acknowledged
        assert "letters.tasks.gone" in letter["reason"]
    assert letters(service, "discard", task_id) == "discarded 1 task\n"
    letters(service, "list", "--json", number=0)
