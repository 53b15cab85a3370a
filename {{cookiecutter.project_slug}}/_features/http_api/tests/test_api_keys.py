"""Each key has the name of its owner, and can be replaced on its own."""

import pytest

from {{ cookiecutter.project_slug }} import api_keys
from {{ cookiecutter.project_slug }}.api_keys import owner_of
from {{ cookiecutter.project_slug }}.settings import read_environment


def test_a_key_tells_its_owner_while_two_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "KEYS", [("shop", "old key"), ("shop", "new key"), ("billing", "another: kéy")])
    assert [owner_of("old key"), owner_of("new key")] == ["shop", "shop"]
    assert owner_of("another: kéy".encode().decode("latin-1")) == "billing"  # as servers decode headers
    assert [owner_of(key) for key in ("", "old", "shop", "snow ☃")] == [None] * 4


@pytest.mark.parametrize("keys", ["only-a-key-of-16-characters", "name:too-short", "a name:0123456789abcdef", "a:"])
def test_a_bad_list_is_one_line_without_the_keys(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    monkeypatch.setenv("API_KEYS", keys)
    with pytest.raises(SystemExit, match=r"^API_KEYS: ") as stop:
        read_environment()
    assert keys not in str(stop.value)
    assert len(str(stop.value).splitlines()) == 1


def test_a_good_list_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = "shop:0123456789abcdef,billing@example.com:fedcba:9876543210"
    monkeypatch.setenv("API_KEYS", keys)
    assert read_environment().api_keys == keys
