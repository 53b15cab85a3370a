"""Every line of a task says which task, and which request, it comes from."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from celery import Task
from celery.signals import task_success

from {{ cookiecutter.project_slug }} import logs, signals
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping

from .conftest import Ran


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged, with the handlers of before put back at the end."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure()
    written = io.StringIO()
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_our_lines_and_those_of_libraries_have_one_form(lines: io.StringIO) -> None:
    structlog.get_logger("ours").warning("disk is full", free=0)
    logging.getLogger("theirs").error("no answer from %s", "example.com")
    ours, theirs = (json.loads(line) for line in lines.getvalue().splitlines())
    assert (ours["event"], ours["free"], ours["level"], ours["logger"]) == ("disk is full", 0, "warning", "ours")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("no answer from example.com", "error", "theirs")


def test_an_exception_is_data_on_the_same_line(lines: io.StringIO) -> None:
    password = "".join(["sec", "ret"])
    try:
        raise ValueError("bad", len(password))
    except ValueError:
        logging.getLogger("theirs").exception("failed")
    (line,) = lines.getvalue().splitlines()
    assert json.loads(line)["exception"][0]["exc_type"] == "ValueError"
    assert password not in line


def test_a_task_binds_its_ids_and_leaves_the_context_as_it_was() -> None:
    before = structlog.contextvars.get_contextvars()
    signals.bind_log_context(task_id="some-id", task=ping)
    assert structlog.contextvars.get_contextvars() == {
        **before,
        "task_id": "some-id",
        "task_name": ping.name,
        "request_id": "some-id",
    }
    signals.reset_log_context(task_id="some-id")
    assert structlog.contextvars.get_contextvars() == before


@pytest.mark.integration
def test_the_request_id_travels_with_the_task(outcome: Ran) -> None:
    seen: dict[str, dict[str, Any]] = {}

    def look(sender: Task[Any, Any], **_: Any) -> None:
        seen[str(sender.request.id)] = structlog.contextvars.get_contextvars()

    task_success.connect(look)
    with structlog.contextvars.bound_contextvars(request_id="request-1"):
        task_id = ping.apply_async().id
    assert outcome(task_id) == "SUCCESS"
    task_success.disconnect(look)
    assert seen[task_id] == {"task_id": task_id, "task_name": ping.name, "request_id": "request-1"}
