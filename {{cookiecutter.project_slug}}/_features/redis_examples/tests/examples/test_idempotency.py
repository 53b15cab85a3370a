"""The work of an idempotency key is done once."""

from unittest.mock import Mock

import pytest
from celery.exceptions import Retry
from redis import Redis

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.examples.idempotency import charge, run_once
from {{ cookiecutter.project_slug }}.examples.store import PREFIX

pytestmark = pytest.mark.usefixtures("store")


def test_a_second_delivery_does_nothing() -> None:
    runs = []
    for _ in range(2):
        with run_once(charge, "order-1") as is_first:
            runs.append(is_first)
    assert runs == [True, False]


def test_failed_work_is_done_again() -> None:
    with pytest.raises(ZeroDivisionError), run_once(charge, "order-1"):
        1 / 0  # noqa: B018
    with run_once(charge, "order-1") as is_first:
        assert is_first


def test_a_concurrent_task_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    retry = Mock(return_value=Retry())
    monkeypatch.setattr(charge, "retry", retry)
    with run_once(charge, "order-1"), pytest.raises(Retry), run_once(charge, "order-1"):
        pytest.fail("concurrent runs")
    retry.assert_called_once_with(countdown=10, max_retries=None)


def test_the_lock_of_a_lost_worker_expires_after_the_time_limit(store: Redis) -> None:
    with run_once(charge, "order-1"):
        expiry = store.pttl(f"{PREFIX}lock:order-1")
    assert app.conf.task_time_limit * 1000 < expiry <= (app.conf.task_time_limit + 10) * 1000


def test_a_repeated_task_succeeds() -> None:
    assert [charge.apply(("order-1", 500)).state for _ in range(2)] == ["SUCCESS", "SUCCESS"]
