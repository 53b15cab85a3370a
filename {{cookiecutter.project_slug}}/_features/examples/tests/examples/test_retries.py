"""Automatic retries, without a network and without delays."""

import http.client
from unittest.mock import Mock

import pytest
from celery.exceptions import Retry

from {{ cookiecutter.project_slug }}.errors import PermanentError, RetryableError
from {{ cookiecutter.project_slug }}.examples import retries


@pytest.fixture
def response(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Return the response of the server, with the status 200 by default."""
    response = Mock(status=200)
    connection = Mock(**{"return_value.getresponse.return_value": response})
    monkeypatch.setattr("http.client.HTTPSConnection", connection)
    return response


def test_a_successful_request_is_not_retried(response: Mock) -> None:
    assert retries.check_page.apply(("https://example.com/",)).state == "SUCCESS"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_transient_error_is_retried(response: Mock, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    response.status = status
    retry = Mock(return_value=Retry())
    monkeypatch.setattr(retries.check_page, "retry", retry)
    with pytest.raises(Retry):
        retries.check_page("https://example.com/")
    assert isinstance(retry.call_args.kwargs["exc"], RetryableError)
    assert retry.call_args.kwargs["countdown"] <= 2  # seconds, jitter included


def test_the_task_fails_after_five_retries(response: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    response.status = 503
    connect = Mock(side_effect=http.client.HTTPSConnection)
    monkeypatch.setattr("http.client.HTTPSConnection", connect)
    result = retries.check_page.apply(("https://example.com/",))  # `apply` retries without a delay
    assert (result.state, type(result.result)) == ("FAILURE", RetryableError)
    assert connect.call_count == 1 + 5


def test_a_permanent_error_is_not_retried(response: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    response.status = 404
    retry = Mock()
    monkeypatch.setattr(retries.check_page, "retry", retry)
    with pytest.raises(PermanentError, match="responded with 404"):
        retries.check_page("https://example.com/")
    retry.assert_not_called()
