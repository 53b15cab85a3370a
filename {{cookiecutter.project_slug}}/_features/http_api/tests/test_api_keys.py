"""The owners of API keys, and the validation of `API_KEYS`."""

import pytest

from {{ cookiecutter.project_slug }} import api_keys
from {{ cookiecutter.project_slug }}.api_keys import find_owner
from {{ cookiecutter.project_slug }}.settings import read_environment


def test_an_owner_may_have_two_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "KEYS", [("shop", "old key"), ("shop", "new key"), ("billing", "another: kéy")])
    assert [find_owner("old key"), find_owner("new key")] == ["shop", "shop"]
    assert find_owner("another: kéy".encode().decode("latin-1")) == "billing"  # as servers decode headers
    assert [find_owner(key) for key in ("", "old", "shop", "snow ☃")] == [None] * 4


@pytest.mark.parametrize("keys", ["only-a-key-of-16-characters", "name:too-short", "a name:0123456789abcdef", "a:"])
def test_an_invalid_variable_is_reported_without_the_keys(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    monkeypatch.setenv("API_KEYS", keys)
    with pytest.raises(SystemExit, match=r"^API_KEYS: ") as error:
        read_environment()
    assert keys not in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_valid_variable_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = "shop:0123456789abcdef,billing@example.com:fedcba:9876543210"
    monkeypatch.setenv("API_KEYS", keys)
    assert read_environment().api_keys == keys
