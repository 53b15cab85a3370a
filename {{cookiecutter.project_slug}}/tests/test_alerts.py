"""A critical task that fails for good is heard of; others are not, and a dead webhook breaks nothing."""

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

from .conftest import Ran


@pytest.fixture
def alerted(monkeypatch: pytest.MonkeyPatch) -> Iterator["Queue[dict[str, Any]]"]:
    """What a webhook receives."""
    received: Queue[dict[str, Any]] = Queue()

    class Webhook(BaseHTTPRequestHandler):
        """Takes every message."""

        def do_POST(self) -> None:
            """Keep what is posted."""
            received.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    with HTTPServer(("127.0.0.1", 0), Webhook) as server:
        # It looks every 0.01 s whether it is to end.
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        monkeypatch.setattr(alerts, "env", Mock(alert_webhook_url=f"http://127.0.0.1:{server.server_port}/"))
        yield received
        server.shutdown()


def fail(outcome: Ran) -> str:
    """The id of a `ping` that failed in the worker, since it takes no such argument."""
    task_id = str(app.send_task(ping.name, kwargs={"no_such": "argument"}).id)
    assert outcome(task_id) == "FAILURE"
    return task_id


@pytest.mark.integration
def test_a_critical_task_that_failed_is_alerted(
    alerted: "Queue[dict[str, Any]]", outcome: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "is_critical", lambda task: task.name == ping.name)
    task_id = fail(outcome)
    text = alerted.get(timeout=5)["text"]
    assert text.startswith(f"{ping.name}[{task_id}] failed: TypeError(")
    assert alerted.empty()


@pytest.mark.integration
def test_any_other_task_is_not(alerted: "Queue[dict[str, Any]]", outcome: Ran) -> None:
    fail(outcome)
    assert alerted.empty()


@pytest.mark.parametrize("requeue", [False, True])
def test_a_task_that_rejects_itself_for_good_is_a_failure(requeue: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def body() -> None:
        raise Reject(LookupError("no such order"), requeue=requeue)

    monkeypatch.setattr(base_task, "log", logged := Mock())
    monkeypatch.setattr(sentry_sdk, "capture_exception", reported := Mock())
    monkeypatch.setattr(alerts, "alert", alerted := Mock())
    app.task(name="rejects", shared=False)(alerts.critical(body)).apply(task_id="1")
    app.tasks.unregister("rejects")
    assert [logged.error.call_count, reported.call_count, alerted.call_count] == [int(not requeue)] * 3


def test_a_task_is_critical_if_its_function_is_marked() -> None:
    def body() -> None:
        """Do nothing."""

    marked = app.task(name="marked")(alerts.critical(body))
    assert alerts.is_critical(marked)
    assert not alerts.is_critical(ping)
    app.tasks.unregister("marked")


def test_a_dead_webhook_is_logged_and_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    said = Mock()
    monkeypatch.setattr(alerts, "log", said)
    monkeypatch.setattr(alerts, "env", Mock(alert_webhook_url="http://127.0.0.1:1/"))
    alerts.alert("the bank is closed")
    said.critical.assert_called_once_with("alert", text="the bank is closed")
    assert said.error.call_args.args == ("the alert was not delivered",)
