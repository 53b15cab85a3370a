"""Every request has an id, a line in the log, and an answer even where a server is away."""

from typing import Any
from unittest.mock import Mock

import pytest
import structlog
from django.db import OperationalError as DatabaseError
from django.http import HttpResponse
from django.test import Client, RequestFactory
from kombu.exceptions import OperationalError as BrokerError

from {{ cookiecutter.project_slug }}.web.middleware import RequestMiddleware


def test_a_request_s_id_is_in_the_context_and_in_the_response(rf: RequestFactory) -> None:
    seen: list[dict[str, Any]] = []

    def answer(request: Any) -> HttpResponse:
        seen.append(structlog.contextvars.get_contextvars())
        return HttpResponse()

    response = RequestMiddleware(answer)(rf.get("/", headers={"X-Request-ID": "request-1"}))
    assert (seen[0]["request_id"], response.headers["X-Request-ID"]) == ("request-1", "request-1")
    assert "request_id" not in structlog.contextvars.get_contextvars()


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "status"), [("/accounts/login/", 200), ("/nowhere", 404), ("/task-types", 401)])
def test_a_request_is_logged_once(
    client: Client, caplog: pytest.LogCaptureFixture, request_lines: list[Any], path: str, status: int
) -> None:
    caplog.set_level("INFO")
    client.get(path)
    assert [(line["path"], line["status"]) for line in request_lines] == [(path, status)]
    assert not caplog.records


@pytest.mark.parametrize("error", [DatabaseError(), BrokerError()])
def test_a_server_that_is_away_is_told(rf: RequestFactory, error: Exception) -> None:
    response = RequestMiddleware(Mock()).process_exception(rf.get("/"), error)
    assert response is not None
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")


def test_any_other_error_is_left_to_django(rf: RequestFactory) -> None:
    assert RequestMiddleware(Mock()).process_exception(rf.get("/"), ValueError()) is None
