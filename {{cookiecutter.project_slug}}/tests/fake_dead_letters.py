"""A store of dead letters for tests: a list."""

from collections.abc import Collection
from typing import Any

import pytest

from {{ cookiecutter.project_slug }} import dead_letter_store as store


def replace_store(monkeypatch: pytest.MonkeyPatch, *letters: dict[str, Any]) -> list[dict[str, Any]]:
    """Replace the store by one with these dead letters; return the list, from which `replay` and `discard` remove."""
    stored = list(letters)

    def remove(ids: Collection[str]) -> int:
        removed = [letter for letter in stored if letter["id"] in ids]
        stored[:] = [letter for letter in stored if letter not in removed]
        return len(removed)

    monkeypatch.setattr(store, "list_dead_letters", lambda: list(stored))
    monkeypatch.setattr(store, "replay", remove)
    monkeypatch.setattr(store, "discard", remove)
    return stored
