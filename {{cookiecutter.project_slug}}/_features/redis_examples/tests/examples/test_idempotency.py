"""The work of a key is done once: after it, and while another run is at it, it is not done again."""

from unittest.mock import Mock

import pytest
from celery.exceptions import Retry
from redis import Redis

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.examples.idempotency import charge, once
from {{ cookiecutter.project_slug }}.examples.store import PREFIX

pytestmark = pytest.mark.usefixtures("store")


def test_a_second_delivery_does_nothing() -> None:
    runs = []
    for _ in range(2):
        with once(charge, "order-1") as first:
            runs.append(first)
    assert runs == [True, False]


def test_what_failed_is_done_again() -> None:
    with pytest.raises(ZeroDivisionError), once(charge, "order-1"):
        1 / 0  # noqa: B018
    with once(charge, "order-1") as first:
        assert first


def test_while_another_run_is_at_it_the_task_waits_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    retry = Mock(return_value=Retry())
    monkeypatch.setattr(charge, "retry", retry)
    with once(charge, "order-1"), pytest.raises(Retry), once(charge, "order-1"):
        pytest.fail("two runs at a time")
    retry.assert_called_once_with(countdown=10, max_retries=None)


def test_a_lost_run_gives_way_after_the_time_limit(store: Redis) -> None:
    with once(charge, "order-1"):
        expiry = store.pttl(f"{PREFIX}lock:order-1")
    assert app.conf.task_time_limit * 1000 < expiry <= (app.conf.task_time_limit + 10) * 1000


def test_the_task_runs_twice_and_succeeds_twice() -> None:
    assert [charge.apply(("order-1", 500)).state for _ in range(2)] == ["SUCCESS", "SUCCESS"]
