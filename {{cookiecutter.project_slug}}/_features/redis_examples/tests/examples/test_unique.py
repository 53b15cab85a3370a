"""Of two runs at a time, one leaves the work to the other."""

from unittest.mock import Mock

import pytest
from redis import Redis

from {{ cookiecutter.project_slug }}.examples import unique
from {{ cookiecutter.project_slug }}.examples.store import PREFIX, exclusive


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """What the task logs."""
    info = Mock()
    monkeypatch.setattr(unique, "log", Mock(info=info))
    return info


@pytest.mark.usefixtures("store")
def test_a_run_that_is_alone_works_and_leaves_no_lock(said: Mock) -> None:
    unique.refresh()
    unique.refresh()
    assert [call.args[0] for call in said.call_args_list] == ["refresh begins", "refresh ends"] * 2


@pytest.mark.usefixtures("store")
def test_a_run_that_finds_another_does_nothing(said: Mock) -> None:
    with exclusive("refresh"):
        unique.refresh()
    said.assert_called_once_with("refresh runs already")


def test_a_lock_that_expired_and_has_a_new_owner_is_left_to_it(store: Redis) -> None:
    with exclusive("refresh") as first:
        store.delete(f"{PREFIX}lock:refresh")  # as its expiry does
        store.set(f"{PREFIX}lock:refresh", "another")
    assert first
    assert store.get(f"{PREFIX}lock:refresh") == b"another"
