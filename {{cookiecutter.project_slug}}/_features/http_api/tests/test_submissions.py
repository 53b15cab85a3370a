"""Clients submit listed tasks only, with arguments that fit, and never wait long for a server."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import shared_task
from celery.exceptions import NotRegistered
from pydantic import TypeAdapter, ValidationError

from {{ cookiecutter.project_slug }} import submissions
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.problems import MOST_ERRORS, mistakes
from {{ cookiecutter.project_slug }}.submissions import Submission, UnavailableError
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping


@shared_task
def probe(copy: int, /) -> None:
    """A task that cannot be submitted: its argument has no name for clients."""


@shared_task
def sample(copy: int, schema: list[float] | None = None, *, anything=None) -> None:  # type: ignore[no-untyped-def]
    """A task whose arguments have names that pydantic uses itself, one of them without a type."""


@pytest.fixture(params=[[sample.name], [sample.name, ping.name]], ids=["one", "several"])
def listed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets clients submit `sample`, alone and among others."""
    monkeypatch.setattr(submissions, "SUBMITTABLE", request.param)
    submissions.models.cache_clear()
    yield
    submissions.models.cache_clear()


def read(arguments: Any, task: str = sample.name) -> Submission:
    """Return the submission of a body with these values."""
    body = json.loads(json.dumps({"task": task, "arguments": arguments}))
    submission: Submission = TypeAdapter(submissions.any_submission()).validate_python(body)
    return submission


def test_every_listed_task_is_registered() -> None:
    assert ping.name in submissions.models()


@pytest.mark.parametrize("listed", [[sample.name, "tests.deleted.task"]], indirect=True)
@pytest.mark.usefixtures("listed")
def test_a_task_whose_module_was_deleted_is_left_out() -> None:
    assert list(submissions.models()) == [sample.name]


@pytest.mark.parametrize("listed", [[f"{__name__}.misspelt"]], indirect=True)
@pytest.mark.usefixtures("listed")
def test_a_misspelt_task_is_an_error_at_the_start() -> None:
    with pytest.raises(NotRegistered):
        submissions.models()


@pytest.mark.usefixtures("listed")
def test_arguments_that_fit_are_accepted_and_defaults_stay_the_task_s() -> None:
    assert read({"copy": 1}).kwargs == {"copy": 1}
    assert read({"copy": 1.0}).kwargs == {"copy": 1}
    everything = {"copy": 1, "schema": [1.5, 2], "anything": {"a": [None, "ü"]}}
    assert read(everything).kwargs == everything


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({}, ["arguments.copy"]),
        ({"copy": "1"}, ["arguments.copy"]),
        ({"copy": True}, ["arguments.copy"]),
        ({"copy": 1, "other": 2}, ["arguments.other"]),
        ({"copy": None, "schema": ["x"]}, ["arguments.copy", "arguments.schema.0"]),
        ([1], ["arguments"]),
        ({str(number): number for number in range(1000)}, None),
    ],
)
def test_arguments_that_do_not_fit_are_named(arguments: Any, fields: list[str] | None) -> None:
    with pytest.raises(ValidationError) as refused:
        read(arguments)
    errors = mistakes(refused.value.errors())
    if fields:
        assert [error["field"] for error in errors] == fields
    assert len(errors) <= MOST_ERRORS


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize(
    "task",
    ["celery.backend_cleanup", probe.name, "", "{{ cookiecutter.project_slug }}.celery_app.app"],
)
def test_a_task_that_is_not_listed_is_refused(task: str) -> None:
    with pytest.raises(ValidationError):
        read({"copy": 1}, task)


DEEP: list[Any] = []
for _ in range(submissions.DEEPEST):
    DEEP = [DEEP]


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        "\ud800",
        {"__type__": "datetime", "__value__": "?"},
        [{"a": {"__type__": "datetime", "__value__": "?"}}],
        [DEEP],
        "x" * submissions.LARGEST,
    ],
    ids=["nan", "infinity", "surrogate", "kombu-type", "nested-kombu-type", "deep", "large"],
)
def test_what_a_message_cannot_carry_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        read({"copy": 1, "anything": value})


@pytest.mark.usefixtures("listed")
def test_the_limit_of_the_levels_is_a_limit() -> None:
    assert read({"copy": 1, "anything": DEEP[0]}).kwargs["anything"] == DEEP[0]


def test_a_listed_task_without_names_for_its_arguments_is_an_error_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(submissions, "SUBMITTABLE", [probe.name])
    submissions.models.cache_clear()
    with pytest.raises(TypeError, match=r"probe cannot be submitted: its argument copy: int has no name"):
        submissions.models()


def test_the_schema_of_the_arguments_is_that_of_the_task() -> None:
    (found,) = [each for each in submissions.task_types() if each.name == ping.name]
    assert found.arguments["properties"]["text"]["default"] == "pong"
    assert found.description.startswith("Return the text")


def test_a_call_that_hangs_is_abandoned_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submissions, "DEADLINE", 0.1)
    released = threading.Event()
    started = time.monotonic()
    with pytest.raises(UnavailableError):
        submissions.promptly(released.wait)
    assert submissions.DEADLINE <= time.monotonic() - started < submissions.DEADLINE + 3  # on a busy machine
    released.set()


def test_a_call_that_could_not_start_never_runs() -> None:
    released = threading.Event()
    done = []
    hanging = [submissions._threads.submit(released.wait) for _ in range(submissions._threads._max_workers)]
    with pytest.raises(UnavailableError):
        submissions.promptly(lambda: done.append("too late"), until=time.monotonic() + 0.05)
    released.set()
    assert all(future.result(timeout=10) for future in hanging)
    submissions.promptly(lambda: None)
    assert not done


def test_any_error_of_a_library_means_unavailable() -> None:
    with pytest.raises(UnavailableError, match="division"):
        submissions.promptly(lambda: 1 / 0)


def test_a_process_that_answers_requests_has_short_timeouts() -> None:
    submissions.prepare()
    assert app.conf.task_publish_retry_policy["max_retries"] == 1
    assert app.conf.broker_transport_options["connect_retries_timeout"] == 1
    assert len(app.conf.broker_transport_options) > len(submissions.IMPATIENCE["broker_transport_options"])
