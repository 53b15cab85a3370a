"""Submittable tasks, validation of arguments, and the deadline of calls to servers."""

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
from {{ cookiecutter.project_slug }}.problems import MAX_REPORTED_ERRORS, to_field_errors
from {{ cookiecutter.project_slug }}.submissions import Submission, UnavailableError
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping


@shared_task
def positional(copy: int, /) -> None:
    """Do nothing. The task cannot be submitted, since its parameter cannot be passed by name."""


@shared_task
def sample(copy: int, schema: list[float] | None = None, *, anything=None) -> None:  # type: ignore[no-untyped-def]
    """Do nothing. Pydantic reserves two of the parameter names, and one parameter has no annotation."""


@pytest.fixture(params=[[sample.name], [sample.name, ping.name]], ids=["one", "several"])
def submittable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the task `sample` submittable, alone and with another task."""
    monkeypatch.setattr(submissions, "SUBMITTABLE", request.param)
    submissions.load_models.cache_clear()
    yield
    submissions.load_models.cache_clear()


def parse(arguments: Any, task: str = sample.name) -> Submission:
    """Parse a request body."""
    body = json.loads(json.dumps({"task": task, "arguments": arguments}))
    submission: Submission = TypeAdapter(submissions.build_submission_type()).validate_python(body)
    return submission


def test_every_submittable_task_is_registered() -> None:
    assert ping.name in submissions.load_models()


@pytest.mark.parametrize("submittable", [[sample.name, "tests.deleted.task"]], indirect=True)
@pytest.mark.usefixtures("submittable")
def test_a_task_without_its_module_is_skipped() -> None:
    assert list(submissions.load_models()) == [sample.name]


@pytest.mark.parametrize("submittable", [[f"{__name__}.misspelt"]], indirect=True)
@pytest.mark.usefixtures("submittable")
def test_an_undefined_task_raises_an_error_at_startup() -> None:
    with pytest.raises(NotRegistered):
        submissions.load_models()


@pytest.mark.usefixtures("submittable")
def test_valid_arguments_are_accepted_and_defaults_are_omitted() -> None:
    assert parse({"copy": 1}).kwargs == {"copy": 1}
    assert parse({"copy": 1.0}).kwargs == {"copy": 1}
    everything = {"copy": 1, "schema": [1.5, 2], "anything": {"a": [None, "ü"]}}
    assert parse(everything).kwargs == everything


@pytest.mark.usefixtures("submittable")
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
def test_invalid_arguments_are_reported_by_field(arguments: Any, fields: list[str] | None) -> None:
    with pytest.raises(ValidationError) as refused:
        parse(arguments)
    errors = to_field_errors(refused.value.errors())
    if fields:
        assert [error["field"] for error in errors] == fields
    assert len(errors) <= MAX_REPORTED_ERRORS


@pytest.mark.usefixtures("submittable")
@pytest.mark.parametrize(
    "task",
    ["celery.backend_cleanup", positional.name, "", "{{ cookiecutter.project_slug }}.celery_app.app"],
)
def test_a_task_that_is_not_submittable_is_refused(task: str) -> None:
    with pytest.raises(ValidationError):
        parse({"copy": 1}, task)


NESTED_LIST: list[Any] = []
for _ in range(submissions.MAX_JSON_DEPTH):
    NESTED_LIST = [NESTED_LIST]


@pytest.mark.usefixtures("submittable")
@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        "\ud800",
        {"__type__": "datetime", "__value__": "?"},
        [{"a": {"__type__": "datetime", "__value__": "?"}}],
        [NESTED_LIST],
        "x" * submissions.MAX_BODY_BYTES,
    ],
    ids=["nan", "infinity", "surrogate", "kombu-type", "nested-kombu-type", "deep", "large"],
)
def test_a_value_that_a_message_cannot_contain_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        parse({"copy": 1, "anything": value})


@pytest.mark.usefixtures("submittable")
def test_the_maximum_depth_is_accepted() -> None:
    assert parse({"copy": 1, "anything": NESTED_LIST[0]}).kwargs["anything"] == NESTED_LIST[0]


def test_a_task_with_positional_only_parameters_is_an_error_at_startup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submissions, "SUBMITTABLE", [positional.name])
    submissions.load_models.cache_clear()
    with pytest.raises(TypeError, match=r"positional cannot be submitted: parameter copy: int "):
        submissions.load_models()


def test_the_schema_of_the_arguments_is_derived_from_the_task() -> None:
    (task_type,) = [each for each in submissions.list_task_types() if each.name == ping.name]
    assert task_type.arguments["properties"]["text"]["default"] == "pong"
    assert task_type.description.startswith("Return the text")


def test_a_hanging_call_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submissions, "DEADLINE", 0.1)
    released = threading.Event()
    started = time.monotonic()
    with pytest.raises(UnavailableError):
        submissions.call_with_deadline(released.wait)
    assert submissions.DEADLINE <= time.monotonic() - started < submissions.DEADLINE + 3  # tolerance for a busy machine
    released.set()


def test_a_call_that_has_not_started_by_its_deadline_never_runs() -> None:
    released = threading.Event()
    calls = []
    hanging = [submissions._executor.submit(released.wait) for _ in range(submissions._executor._max_workers)]
    with pytest.raises(UnavailableError):
        submissions.call_with_deadline(lambda: calls.append("too late"), deadline=time.monotonic() + 0.05)
    released.set()
    assert all(future.result(timeout=10) for future in hanging)
    submissions.call_with_deadline(lambda: None)
    assert not calls


def test_any_exception_of_a_call_means_unavailable() -> None:
    with pytest.raises(UnavailableError, match="division"):
        submissions.call_with_deadline(lambda: 1 / 0)


def test_an_http_process_has_short_timeouts() -> None:
    submissions.warm_up()
    assert app.conf.task_publish_retry_policy["max_retries"] == 1
    assert app.conf.broker_transport_options["connect_retries_timeout"] == 1
    assert len(app.conf.broker_transport_options) > len(submissions.FAIL_FAST_SETTINGS["broker_transport_options"])
