"""Request ids, log lines of requests, and responses if a server is unavailable."""

from typing import Any
from unittest.mock import Mock

import pytest
import structlog
from django.db import OperationalError as DatabaseError
from django.http import HttpResponse
from django.test import Client, RequestFactory
from kombu.exceptions import OperationalError as BrokerError

from {{ cookiecutter.project_slug }}.web.middleware import RequestMiddleware


def test_the_request_id_is_in_the_log_context_and_in_the_response(rf: RequestFactory) -> None:
    contexts: list[dict[str, Any]] = []

    def view(request: Any) -> HttpResponse:
        contexts.append(structlog.contextvars.get_contextvars())
        return HttpResponse()

    response = RequestMiddleware(view)(rf.get("/", headers={"X-Request-ID": "request-1"}))
    assert (contexts[0]["request_id"], response.headers["X-Request-ID"]) == ("request-1", "request-1")
    assert "request_id" not in structlog.contextvars.get_contextvars()


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "status"), [("/accounts/login/", 200), ("/nowhere", 404), ("/task-types", 401)])
def test_a_request_is_logged_once(
    client: Client, caplog: pytest.LogCaptureFixture, request_logs: list[Any], path: str, status: int
) -> None:
    caplog.set_level("INFO")
    client.get(path)
    assert [(line["path"], line["status"]) for line in request_logs] == [(path, status)]
    assert not caplog.records


@pytest.mark.parametrize("error", [DatabaseError(), BrokerError()])
def test_an_unavailable_server_returns_503(rf: RequestFactory, error: Exception) -> None:
    response = RequestMiddleware(Mock()).process_exception(rf.get("/"), error)
    assert response is not None
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")


def test_other_exceptions_are_not_handled(rf: RequestFactory) -> None:
    assert RequestMiddleware(Mock()).process_exception(rf.get("/"), ValueError()) is None
