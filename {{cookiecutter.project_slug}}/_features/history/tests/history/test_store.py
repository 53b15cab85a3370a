"""The table of runs, and the command that lists them."""

import json
from datetime import timedelta
from typing import Any

import pytest

from {{ cookiecutter.project_slug }}.history import __main__ as command
from {{ cookiecutter.project_slug }}.history import store
from {{ cookiecutter.project_slug }}.history.runs import RecordedRun, RunFilter

from .conftest import NOW, RunFactory


def list_retries(**filters: Any) -> list[tuple[str, int]]:
    """Return the task id and the retries of the runs that match the filters."""
    return [(run.task_id, run.retries) for run in store.list_runs(RunFilter(**filters))]


def test_runs_are_stored_with_all_fields(history: list[RecordedRun]) -> None:
    runs = store.list_runs(RunFilter())
    assert [run.model_dump(exclude={"id"}) for run in runs] == list(reversed(history))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [("2", 0), ("1", 1), ("1", 0)]),
        ({"task": "tasks.pay"}, [("1", 1), ("1", 0)]),
        ({"queue": "reports"}, [("2", 0)]),
        ({"outcome": "failed"}, [("1", 1)]),
        ({"task_id": "1"}, [("1", 1), ("1", 0)]),
        ({"since": NOW - timedelta(minutes=10)}, [("2", 0), ("1", 1)]),
        ({"since": "2026-01-31T11:51"}, [("2", 0)]),
        ({"task": "tasks.pay", "outcome": "retried"}, [("1", 0)]),
        ({"limit": 1}, [("2", 0)]),
        ({"before": 0}, []),
    ],
)
def test_runs_are_filtered(
    history: list[RecordedRun], filters: dict[str, Any], expected: list[tuple[str, int]]
) -> None:
    assert list_retries(**filters) == expected


def test_pages_include_each_run_once(history: list[RecordedRun], make_run: RunFactory) -> None:
    store.insert_runs([make_run(task_id=str(number)) for number in range(3, 8)])  # they ended at the same time
    seen: list[str] = []
    before = None
    while page := store.list_runs(RunFilter(limit=3, before=before)):
        seen += [run.task_id for run in page]
        before = page[-1].id
    assert sorted(seen) == ["1", "1", "2", "3", "4", "5", "6", "7"]


def test_old_runs_are_deleted_in_parts(history: list[RecordedRun], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "DELETED_AT_ONCE", 1)
    before = NOW - timedelta(minutes=5)
    assert [store.delete_runs(before) for _ in range(3)] == [1, 1, 0]
    assert list_retries() == [("2", 0)]


def test_the_command_prints_a_table(history: list[RecordedRun], capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["list", "--task", "tasks.pay", "--since", "2026-01-31T11:45"])
    printed = capsys.readouterr()
    headers, row = (line.split() for line in printed.out.splitlines())
    assert headers == ["ENDED", "TASK", "ID", "TASK", "QUEUE", "WORKER", "OUTCOME", "RETRIES", "SECONDS", "ERROR"]
    assert row == ["2026-01-31T11:50:00+00:00", "1", "tasks.pay", "emails", "emails@host", "failed", "1", "2.000"]
    assert printed.err == "1 run\n"


def test_the_command_prints_json(history: list[RecordedRun], capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["list", "--outcome", "retried", "--queue", "emails", "--task-id", "1", "--limit", "5", "--json"])
    (run,) = json.loads(capsys.readouterr().out)
    assert (run["outcome"], run["error"], run["ended"]) == ("retried", "ValueError()", "2026-01-31T11:40:00Z")


def test_the_command_limits_the_number_of_runs(history: list[RecordedRun], capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["list", "--limit", "2"])
    assert capsys.readouterr().err == "2 runs\n"


@pytest.mark.parametrize("arguments", [[], ["list", "--outcome", "lucky"], ["list", "--limit", "0"]])
def test_wrong_usage_has_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        command.main(arguments)
    assert stop.value.code == 2


def test_an_unreachable_database_is_an_error_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: RunFilter) -> None:
        raise ConnectionError("refused\nby the server")

    monkeypatch.setattr(store, "list_runs", fail)
    with pytest.raises(SystemExit) as stop:
        command.main(["list"])
    assert stop.value.code == "ConnectionError: refused by the server"
