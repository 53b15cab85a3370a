"""Dead letters by HTTP: selections, limits and log lines, on a store that is a list."""

from typing import Any

import pytest
import structlog
from pydantic import TypeAdapter, ValidationError
from structlog.testing import capture_logs

from {{ cookiecutter.project_slug }} import dead_letter_store as store
from {{ cookiecutter.project_slug }} import http_dead_letters
from {{ cookiecutter.project_slug }}.http_dead_letters import DeadLetterQuery, Selection
from {{ cookiecutter.project_slug }}.submissions import RefusedError, UnavailableError

from .fake_dead_letters import replace_store

SELECTION: TypeAdapter[Selection] = TypeAdapter(Selection)


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Five dead letters of two queues in the store. The oldest has no traceback and no number of attempts."""
    monkeypatch.setattr(http_dead_letters, "read_lengths", dict)
    fields = [
        {"id": str(day), "queue": f"q{day % 2}", "task": "t", "reason": "E()", "at": f"2026-01-0{day}T00:00:00+00:00"}
        for day in range(1, 6)
    ]
    details = {"args": [1], "kwargs": {}, "options": {}}
    run = {"traceback": "Traceback ...", "attempts": 4}
    return replace_store(monkeypatch, fields[0] | details, *(each | details | run for each in fields[1:]))


def test_a_page_has_the_number_of_all_pages() -> None:
    page = http_dead_letters.list_page(DeadLetterQuery(limit=2, offset=1))
    assert (page.total, [item.id for item in page.items]) == (5, ["2", "3"])
    assert http_dead_letters.list_page(DeadLetterQuery(queue="q0", offset=9)).model_dump() == {"total": 2, "items": []}


def test_a_dead_letter_is_shown_in_full(letters: list[dict[str, Any]]) -> None:
    shown = http_dead_letters.read_dead_letter("2")
    assert (shown.args, shown.traceback, shown.attempts) == ([1], "Traceback ...", 4)
    oldest = http_dead_letters.read_dead_letter("1")
    assert (oldest.traceback, oldest.attempts) == (None, None)
    letters[0] |= {"at": "", "args": {"set": {1}, "text": "\udc00"}}
    oldest = http_dead_letters.read_dead_letter("1")
    assert (oldest.at, oldest.args) == (None, {"set": "{1}", "text": "?"})


@pytest.mark.parametrize("name", ["replay", "discard"])
@pytest.mark.parametrize(
    ("selection", "left"),
    [
        ({"ids": ["1", "5"]}, ["2", "3", "4"]),
        ({"filter": {"queue": "q1"}}, ["2", "4"]),
        ({"filter": {"since": "2026-01-02", "until": "2026-01-04"}}, ["1", "4", "5"]),
        ({"filter": {"task": "other"}}, ["1", "2", "3", "4", "5"]),
        ({"all": True}, []),
    ],
)
def test_only_selected_ones_are_processed(
    name: str, selection: dict[str, Any], left: list[str], letters: list[dict[str, Any]]
) -> None:
    process = getattr(http_dead_letters, name)
    assert process(SELECTION.validate_python(selection), "alice").model_dump() == {
        "number": 5 - len(left),
        "remaining": 0,
    }
    assert [letter["id"] for letter in letters] == left


@pytest.mark.parametrize(
    "selection",
    [
        *({}, {"ids": []}, {"ids": [""]}, {"ids": ["1"] * 501}, {"filter": {}}, {"filter": {"queue": None}}),
        *({"filter": {"error": ""}}, {"filter": {"queue": "q", "task": None}}, {"filter": {"since": 0}}),
        *({"filter": {"name": "t"}}, {"all": False}, {"all": True, "ids": ["1"]}),
    ],
)
def test_an_ambiguous_selection_is_invalid(selection: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SELECTION.validate_python(selection)


def test_a_request_processes_the_oldest_ones(monkeypatch: pytest.MonkeyPatch, letters: list[dict[str, Any]]) -> None:
    monkeypatch.setattr(http_dead_letters, "MAX_SELECTED", 2)
    result = http_dead_letters.discard(SELECTION.validate_python({"all": True}), "alice")
    assert (result.number, result.remaining) == (2, 3)
    assert [letter["id"] for letter in letters] == ["3", "4", "5"]


@pytest.mark.parametrize("name", ["replay", "discard"])
def test_the_log_has_the_acting_user_and_the_ids(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_dead_letters, "log", structlog.get_logger())
    monkeypatch.setattr(http_dead_letters, "IDS_PER_LOG_LINE", 3)
    with capture_logs() as lines:
        getattr(http_dead_letters, name)(SELECTION.validate_python({"all": True}), "alice")
    assert {line["event"] for line in lines} == {f"dead letters {name}ed"}
    assert [(line["actor"], line["number"], line["ids"]) for line in lines] == [
        ("alice", 5, ["1", "2", "3"]),
        ("alice", 5, ["4", "5"]),
    ]


def test_an_unknown_id_is_refused(letters: list[dict[str, Any]]) -> None:
    with pytest.raises(RefusedError, match=r"^No dead letter has the id x\.$") as refusal:
        http_dead_letters.discard(SELECTION.validate_python({"ids": ["1", "x"]}), "alice")
    assert refusal.value.status == 404
    assert len(letters) == 5


@pytest.mark.parametrize("function", ["read_lengths", "list_dead_letters"])
def test_an_unreachable_broker_is_reported(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ConnectionError

    monkeypatch.setattr(http_dead_letters if function == "read_lengths" else store, function, refuse)
    with pytest.raises(UnavailableError):
        http_dead_letters.list_page(DeadLetterQuery())
