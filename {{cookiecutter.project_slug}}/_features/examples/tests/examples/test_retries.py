"""The policy, without a network and without waiting."""

import http.client
from unittest.mock import Mock

import pytest
from celery.exceptions import Retry

from {{ cookiecutter.project_slug }}.errors import PermanentError, RetryableError
from {{ cookiecutter.project_slug }}.examples import retries


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """The server's answer; 200 unless a test says otherwise."""
    response = Mock(status=200)
    connection = Mock(**{"return_value.getresponse.return_value": response})
    monkeypatch.setattr("http.client.HTTPSConnection", connection)
    return response


def test_a_page_that_is_there_is_asked_for_once(server: Mock) -> None:
    assert retries.check_page.apply(("https://example.com/",)).state == "SUCCESS"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(server: Mock, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    server.status = status
    retry = Mock(return_value=Retry())
    monkeypatch.setattr(retries.check_page, "retry", retry)
    with pytest.raises(Retry):
        retries.check_page("https://example.com/")
    assert isinstance(retry.call_args.kwargs["exc"], RetryableError)
    assert retry.call_args.kwargs["countdown"] <= 2  # seconds, jitter included


def test_a_server_that_stays_busy_is_asked_six_times_in_all(server: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    server.status = 503
    connect = Mock(side_effect=http.client.HTTPSConnection)
    monkeypatch.setattr("http.client.HTTPSConnection", connect)
    result = retries.check_page.apply(("https://example.com/",))  # retries in this process do not wait
    assert (result.state, type(result.result)) == ("FAILURE", RetryableError)
    assert connect.call_count == 1 + 5


def test_a_wrong_request_is_not_repeated(server: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    server.status = 404
    retry = Mock()
    monkeypatch.setattr(retries.check_page, "retry", retry)
    with pytest.raises(PermanentError, match="answered 404"):
        retries.check_page("https://example.com/")
    retry.assert_not_called()
