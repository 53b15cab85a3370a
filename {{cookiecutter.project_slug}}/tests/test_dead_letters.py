"""The commands for dead letters, on a store that is a list."""

import json
from collections.abc import Collection
from typing import Any
from unittest.mock import Mock

import pytest

from {{ cookiecutter.project_slug }} import dead_letter_store as store
from {{ cookiecutter.project_slug }}.dead_letters import main


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Two dead letters in the store, from which purging and requeueing takes them."""
    kept = [
        {"at": f"2026-01-0{day}", "id": name, "queue": "q", "task": "t", "reason": "ValueError()", "args": [day]}
        for day, name in enumerate(("first", "second"), start=1)
    ]

    def take(ids: Collection[str]) -> int:
        gone = [letter for letter in kept if letter["id"] in ids]
        kept[:] = [letter for letter in kept if letter not in gone]
        return len(gone)

    monkeypatch.setattr(store, "list_dead_letters", lambda: list(kept))
    monkeypatch.setattr(store, "replay", take)
    monkeypatch.setattr(store, "discard", take)
    return kept


def test_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "2026-01-01  first  q  t  ValueError()"
    assert main(["list", "--json"]) == 0
    assert [letter["id"] for letter in json.loads(capsys.readouterr().out)] == ["first", "second"]


def test_one_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "second"]) == 0
    assert json.loads(capsys.readouterr().out)["args"] == [2]


@pytest.mark.parametrize(("command", "other"), [("requeue", "discard"), ("purge", "replay")])
def test_a_command_calls_the_function_of_its_name(command: str, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, other, Mock(side_effect=AssertionError))
    assert main([command, "first"]) == 0


@pytest.mark.parametrize("command", ["requeue", "purge"])
def test_the_named_ones_are_taken_and_no_other(command: str, letters: list[dict[str, Any]]) -> None:
    assert main([command, "first"]) == 0
    assert [letter["id"] for letter in letters] == ["second"]
    assert main([command, "--all"]) == 0
    assert not letters


@pytest.mark.parametrize("command", ["show", "requeue", "purge"])
def test_an_unknown_id_is_an_error(
    command: str, letters: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "third"]) == 1
    assert capsys.readouterr().err == "no dead letter has the id third\n"
    assert len(letters) == 2


@pytest.mark.parametrize("command", ["requeue", "purge"])
def test_nothing_is_taken_that_was_not_asked_for(command: str, letters: list[dict[str, Any]]) -> None:
    assert main([command]) == 1
    assert main([command, "first", "--all"]) == 1
    assert len(letters) == 2
