"""The commands for dead letters, on a store that is a list."""

import json
import sys
from typing import Any
from unittest.mock import Mock

import pytest
from kombu import Connection

from {{ cookiecutter.project_slug }} import dead_letter_store as store
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.dead_letters import main

from .fake_dead_letters import replace_store


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Two dead letters in the store, which `replay` and `discard` remove."""
    fields: list[dict[str, Any]] = [
        {"id": "first", "queue": "emails", "task": "send", "reason": "ValueError()", "at": "2026-01-01T00:00:00+00:00"},
        {"id": "second", "queue": "q", "task": "t", "reason": "KeyError(\n'x')", "at": "2026-01-02T00:00:00"},
    ]
    return replace_store(monkeypatch, *({**each, "args": [number]} for number, each in enumerate(fields, start=1)))


TABLE = [
    "TIME                       ID      QUEUE   TASK  REASON",
    "2026-01-01T00:00:00+00:00  first   emails  send  ValueError()",
    "2026-01-02T00:00:00        second  q       t     KeyError( 'x')",
]


def test_they_are_listed(capsys: pytest.CaptureFixture[str], letters: list[dict[str, Any]]) -> None:
    main(["list"])
    assert capsys.readouterr() == ("\n".join([*TABLE, ""]), "2 dead letters\n")
    main(["list", "--json"])
    assert [letter["id"] for letter in json.loads(capsys.readouterr().out)] == ["first", "second"]
    del letters[1:]
    main(["list"])
    assert capsys.readouterr().err == "1 dead letter\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_reason_is_cut_on_a_terminal_only(
    terminal: bool, letters: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    letters[0]["reason"] = "x" * 500
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    main(["list"])
    line = capsys.readouterr().out.splitlines()[1]
    assert len(line) == 100 if terminal else line.endswith("x" * 500)
    assert line.endswith("x...") == terminal


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        (["--queue", "emails"], ["first"]),
        (["--task", "t"], ["second"]),
        (["--error", "Key"], ["second"]),
        (["--error", "Error", "--queue", "q"], ["second"]),
        (["--since", "2026-01-02"], ["second"]),
        (["--since", "2026-01-01T01:00:00+01:00"], ["first", "second"]),
        (["--until", "2026-01-02"], ["first"]),
        (["--queue", "nothing"], []),
    ],
)
def test_filters_select_dead_letters(
    filters: list[str], ids: list[str], letters: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["list", "--json", *filters])
    assert [letter["id"] for letter in json.loads(capsys.readouterr().out)] == ids
    main(["discard", *filters])
    assert not {letter["id"] for letter in letters} & set(ids)
    assert len(letters) == 2 - len(ids)


def test_one_is_shown_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "second"])
    assert json.loads(capsys.readouterr().out)["args"] == [2]


@pytest.mark.parametrize(("command", "other"), [("replay", "discard"), ("discard", "replay")])
def test_a_command_calls_its_function(command: str, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, other, Mock(side_effect=AssertionError))
    main([command, "first"])


@pytest.mark.parametrize("command", ["replay", "discard"])
def test_only_selected_ones_are_removed(
    command: str, letters: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    main([command, "first"])
    assert [letter["id"] for letter in letters] == ["second"]
    main([command, "--all"])
    assert not letters
    assert capsys.readouterr().out == f"{command}ed 1 task\n" * 2


@pytest.mark.parametrize("command", ["show", "replay", "discard"])
def test_an_unknown_id_is_an_error(command: str, letters: list[dict[str, Any]]) -> None:
    with pytest.raises(SystemExit, match=r"^no dead letter has the id third$"):
        main([command, "third"])
    assert len(letters) == 2


def test_a_task_that_is_not_replayed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "replay", lambda ids: len(ids) - 1)
    with pytest.raises(SystemExit, match=r"^1 dead letter not replayed"):
        main(["replay", "--all"])


def test_an_unreachable_broker_is_an_error_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "connection_for_read", lambda: Connection("pyamqp://127.0.0.1:1"))
    with pytest.raises(SystemExit, match=r"^OperationalError: .+$"):
        main(["list"])


@pytest.mark.parametrize("arguments", [[], ["first", "--all"], ["first", "--queue", "q"], ["--queue", "q", "--all"]])
@pytest.mark.parametrize("command", ["replay", "discard"])
def test_an_ambiguous_selection_is_wrong_usage(
    command: str, arguments: list[str], letters: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main([command, *arguments])
    assert "specify ids, filters or --all" in capsys.readouterr().err
    assert len(letters) == 2
