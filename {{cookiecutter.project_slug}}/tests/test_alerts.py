"""Tests of the alerts for critical tasks."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from threading import Thread
from typing import Any
from unittest.mock import Mock

import pytest
import sentry_sdk
from celery.exceptions import Reject

from {{ cookiecutter.project_slug }} import alerts, base_task
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping

from .conftest import WaitForTask


@pytest.fixture
def webhook_messages(monkeypatch: pytest.MonkeyPatch) -> Iterator["Queue[dict[str, Any]]"]:
    """Run a webhook; yield the messages that it receives."""
    received: Queue[dict[str, Any]] = Queue()

    class Webhook(BaseHTTPRequestHandler):
        """A webhook that accepts every message."""

        def do_POST(self) -> None:
            """Record the message."""
            received.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Do not log requests."""

    with HTTPServer(("127.0.0.1", 0), Webhook) as server:
        # 0.01 s is the interval of its checks for a shutdown.
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        monkeypatch.setattr(alerts, "env", Mock(alert_webhook_url=f"http://127.0.0.1:{server.server_port}/"))
        yield received
        server.shutdown()


def run_failing_task(wait_for_task: WaitForTask) -> str:
    """Run `ping` with an unexpected argument; return the id of the task, which fails in the worker."""
    task_id = str(app.send_task(ping.name, kwargs={"no_such": "argument"}).id)
    assert wait_for_task(task_id) == "FAILURE"
    return task_id


@pytest.mark.integration
def test_failed_critical_task_sends_an_alert(
    webhook_messages: "Queue[dict[str, Any]]", wait_for_task: WaitForTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "is_critical", lambda task: task.name == ping.name)
    task_id = run_failing_task(wait_for_task)
    text = webhook_messages.get(timeout=5)["text"]
    assert text.startswith(f"{ping.name}[{task_id}] failed: TypeError(")
    assert webhook_messages.empty()


@pytest.mark.integration
def test_other_task_sends_no_alert(webhook_messages: "Queue[dict[str, Any]]", wait_for_task: WaitForTask) -> None:
    run_failing_task(wait_for_task)
    assert webhook_messages.empty()


@pytest.mark.parametrize("requeue", [False, True])
def test_rejection_without_requeue_is_reported_as_a_failure(requeue: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def reject() -> None:
        raise Reject(LookupError("no such order"), requeue=requeue)

    monkeypatch.setattr(base_task, "log", log := Mock())
    monkeypatch.setattr(sentry_sdk, "capture_exception", capture := Mock())
    monkeypatch.setattr(alerts, "send_alert", send_alert := Mock())
    app.task(name="rejects", shared=False)(alerts.critical(reject)).apply(task_id="1")
    app.tasks.unregister("rejects")
    assert [log.error.call_count, capture.call_count, send_alert.call_count] == [int(not requeue)] * 3


def test_task_with_a_marked_function_is_critical() -> None:
    def function() -> None:
        """Do nothing."""

    marked = app.task(name="marked")(alerts.critical(function))
    assert alerts.is_critical(marked)
    assert not alerts.is_critical(ping)
    app.tasks.unregister("marked")


def test_unreachable_webhook_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "log", log := Mock())
    monkeypatch.setattr(alerts, "env", Mock(alert_webhook_url="http://127.0.0.1:1/"))
    alerts.send_alert("the bank is closed")
    log.critical.assert_called_once_with("alert raised", text="the bank is closed")
    assert log.error.call_args.args == ("alert not delivered",)
