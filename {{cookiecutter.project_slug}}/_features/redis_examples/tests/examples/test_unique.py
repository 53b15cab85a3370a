"""The lock of a task that must not run concurrently."""

from unittest.mock import Mock

import pytest
from redis import Redis

from {{ cookiecutter.project_slug }}.examples import unique
from {{ cookiecutter.project_slug }}.examples.store import PREFIX, exclusive_lock


@pytest.fixture
def log_info(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Return a mock of `log.info`."""
    info = Mock()
    monkeypatch.setattr(unique, "log", Mock(info=info))
    return info


@pytest.mark.usefixtures("store")
def test_a_run_releases_its_lock(log_info: Mock) -> None:
    unique.refresh()
    unique.refresh()
    assert [call.args[0] for call in log_info.call_args_list] == ["refresh started", "refresh finished"] * 2


@pytest.mark.usefixtures("store")
def test_a_concurrent_run_does_nothing(log_info: Mock) -> None:
    with exclusive_lock("refresh"):
        unique.refresh()
    log_info.assert_called_once_with("refresh already running")


def test_an_expired_lock_of_another_owner_is_not_released(store: Redis) -> None:
    with exclusive_lock("refresh") as acquired:
        store.delete(f"{PREFIX}lock:refresh")  # simulate the expiry
        store.set(f"{PREFIX}lock:refresh", "another")
    assert acquired
    assert store.get(f"{PREFIX}lock:refresh") == b"another"
