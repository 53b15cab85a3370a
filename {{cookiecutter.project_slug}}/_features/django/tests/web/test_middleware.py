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


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "line\nbreak", "ünsafe"])
def test_an_id_that_could_harm_the_log_is_replaced(rf: RequestFactory, given: str) -> None:
    request = rf.get("/")
    request.META["HTTP_X_REQUEST_ID"] = given
    response = RequestMiddleware(lambda request: HttpResponse())(request)
    assert len(response.headers["X-Request-ID"]) == 36


@pytest.mark.parametrize("error", [DatabaseError(), BrokerError()])
def test_a_server_that_is_away_is_told(rf: RequestFactory, error: Exception) -> None:
    response = RequestMiddleware(Mock()).process_exception(rf.get("/"), error)
    assert response is not None
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")


def test_any_other_error_is_left_to_django(rf: RequestFactory) -> None:
    assert RequestMiddleware(Mock()).process_exception(rf.get("/"), ValueError()) is None


def test_browsers_get_pages_and_programs_get_problem_details(client: Client) -> None:
    page = client.get("/nowhere", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    problem = client.get("/nowhere")
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert (problem.status_code, problem.headers["Content-Type"]) == (404, "application/problem+json")
