"""Tests of the log format, and of the ids in the log lines of tasks."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import structlog
from celery import Task
from celery.signals import task_success

from {{ cookiecutter.project_slug }} import logs, signals
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping

from .conftest import WaitForTask


@pytest.fixture
def log_output() -> Iterator[io.StringIO]:
    """Yield the log output with the configuration of this project."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure()
    output = io.StringIO()
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(output)
    yield output
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_structlog_and_logging_have_the_same_format(log_output: io.StringIO) -> None:
    structlog.get_logger("ours").warning("disk is full", free=0)
    logging.getLogger("theirs").error("no answer from %s", "example.com")
    ours, theirs = (json.loads(line) for line in log_output.getvalue().splitlines())
    assert (ours["event"], ours["free"], ours["level"], ours["logger"]) == ("disk is full", 0, "warning", "ours")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("no answer from example.com", "error", "theirs")


def test_exception_is_structured_without_local_variables(log_output: io.StringIO) -> None:
    password = "".join(["sec", "ret"])
    try:
        raise ValueError("bad", len(password))
    except ValueError:
        logging.getLogger("theirs").exception("failed")
    (line,) = log_output.getvalue().splitlines()
    assert json.loads(line)["exception"][0]["exc_type"] == "ValueError"
    assert password not in line


def test_log_context_is_bound_and_restored() -> None:
    before = structlog.contextvars.get_contextvars()
    signals.bind_log_context(task_id="some-id", task=ping)
    assert structlog.contextvars.get_contextvars() == {
        **before,
        "task_id": "some-id",
        "task_name": ping.name,
        "request_id": "some-id",
    }
    signals.reset_log_context(task=ping)
    assert structlog.contextvars.get_contextvars() == before


def test_log_context_is_restored_in_each_thread_that_runs_the_same_id() -> None:
    both_started = threading.Barrier(2)
    contexts: list[dict[str, Any]] = []

    def run(_: int) -> None:
        task: Any = ping
        task.push_request(id="some-id")
        signals.bind_log_context(task_id="some-id", task=ping)
        both_started.wait(10)
        signals.reset_log_context(task=ping)
        task.pop_request()
        contexts.append(structlog.contextvars.get_contextvars())

    with ThreadPoolExecutor() as pool:
        list(pool.map(run, range(2)))
    assert contexts == [{}, {}]


@pytest.mark.integration
def test_request_id_is_passed_to_the_task(wait_for_task: WaitForTask) -> None:
    contexts: dict[str, dict[str, Any]] = {}

    def record_context(sender: Task[Any, Any], **_: Any) -> None:
        contexts[str(sender.request.id)] = structlog.contextvars.get_contextvars()

    task_success.connect(record_context)
    with structlog.contextvars.bound_contextvars(request_id="request-1"):
        task_id = ping.apply_async().id
    assert wait_for_task(task_id) == "SUCCESS"
    task_success.disconnect(record_context)
    assert contexts[task_id] == {"task_id": task_id, "task_name": ping.name, "request_id": "request-1"}
