"""Only listed tasks get in, only with arguments that fit, and nobody waits long for a broker."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import shared_task

from {{ cookiecutter.project_slug }} import submissions
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.submissions import InvalidError, MalformedError, Submission, UnavailableError
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping


@shared_task(name="probe")
def probe(copy: int, /) -> None:
    """A task that cannot be submitted: its argument has no name for callers."""


@shared_task(name="sample")
def sample(copy: int, schema: list[float] | None = None, *, anything=None) -> None:  # type: ignore[no-untyped-def]
    """A task whose arguments have names that pydantic uses itself, one of them without a type."""


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets callers submit `sample`."""
    monkeypatch.setattr(submissions, "SUBMITTABLE", ("sample",))
    submissions.submittable.cache_clear()
    yield
    submissions.submittable.cache_clear()


def read(arguments: Any, task: str = "sample") -> Submission:
    """What becomes of these arguments."""
    return submissions.read(json.dumps({"task": task, "arguments": arguments}).encode())


def test_every_listed_task_exists_and_takes_arguments_by_name() -> None:
    assert ping.name in submissions.submittable()


@pytest.mark.usefixtures("listed")
def test_arguments_that_fit_get_in_and_defaults_stay_the_task_s() -> None:
    assert read({"copy": 1}) == Submission("sample", {"copy": 1})
    assert read({"copy": 1.0}) == Submission("sample", {"copy": 1})
    everything = {"copy": 1, "schema": [1.5, 2], "anything": {"a": [None, "ü"]}}
    assert read(everything).arguments == everything


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
    with pytest.raises(InvalidError) as refused:
        read(arguments)
    if fields:
        assert [error["field"] for error in refused.value.errors] == fields
    assert len(refused.value.errors) <= submissions.MOST_ERRORS


@pytest.mark.parametrize(
    "task",
    ["celery.backend_cleanup", "sample", "", "{{ cookiecutter.project_slug }}.celery_app.app"],
)
def test_a_task_that_is_not_listed_does_not_get_in(task: str) -> None:
    with pytest.raises(InvalidError, match=r"^task: is not one of the tasks"):
        read({}, task)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"task": "sample", "arguments": {"copy": NaN}}',
        b'{"task": "sample", "arguments": {"copy": 1e999}}',
        b'{"task": "sample", "arguments": {"anything": "\\ud800"}}',
        b'{"task": "sample", "arguments": {"anything": {"__type__": "datetime", "__value__": "?"}}}',
        b'{"task": "sample", "arguments": {"copy": %s}}' % (b"9" * 5000),
        b"[" * 40 + b"]" * 40,
        b"[" * 60_000,
        "é".encode("latin-1"),
    ],
)
def test_what_a_message_cannot_carry_does_not_get_in(body: bytes) -> None:
    with pytest.raises(MalformedError):
        submissions.read(body)


@pytest.mark.parametrize("body", [b"1", b"null", b"[]", b"{}", b'{"task": 1}', b'{"task": "x", "more": 1}'])
def test_json_of_another_form_is_invalid(body: bytes) -> None:
    with pytest.raises(InvalidError):
        submissions.read(body)


def test_a_listed_task_without_names_for_its_arguments_is_an_error_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(submissions, "SUBMITTABLE", ("probe",))
    submissions.submittable.cache_clear()
    with pytest.raises(TypeError, match="probe cannot be submitted: its argument copy: int has no name"):
        submissions.submittable()


def test_whoever_hangs_is_given_up_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submissions, "DEADLINE", 0.1)
    released = threading.Event()
    started = time.monotonic()
    with pytest.raises(UnavailableError):
        submissions.promptly(released.wait)
    assert submissions.DEADLINE <= time.monotonic() - started < submissions.DEADLINE + 3  # on a busy machine
    released.set()


def test_what_could_not_even_begin_is_never_done() -> None:
    released = threading.Event()
    done = []
    hanging = [submissions._threads.submit(released.wait) for _ in range(submissions._threads._max_workers)]
    with pytest.raises(UnavailableError):
        submissions.promptly(lambda: done.append("too late"), until=time.monotonic() + 0.05)
    released.set()
    assert all(future.result(timeout=10) for future in hanging)
    submissions.promptly(lambda: None)
    assert not done


def test_whatever_a_library_raises_the_server_is_unavailable() -> None:
    with pytest.raises(UnavailableError, match="division"):
        submissions.promptly(lambda: 1 / 0)


def test_a_process_that_somebody_waits_for_is_impatient() -> None:
    submissions.prepare()
    assert app.conf.task_publish_retry_policy["max_retries"] == 1
    assert app.conf.broker_transport_options["connect_retries_timeout"] == 1
    assert len(app.conf.broker_transport_options) > len(submissions.IMPATIENCE["broker_transport_options"])
