"""What the doctor prints, and its exit status."""

import json
import time
from collections.abc import Iterator

import pytest

from {{ cookiecutter.project_slug }}.doctor import __main__ as doctor
from {{ cookiecutter.project_slug }}.doctor.findings import Finding, failure, ok, warning


def well() -> Iterator[Finding]:
    """Finds nothing wrong."""
    yield ok("disk", "has room")


def worried() -> Iterator[Finding]:
    """Finds something that somebody should look at."""
    yield warning("disk", "is nearly full", "buy another")


def ill() -> Iterator[Finding]:
    """Finds a failure."""
    yield failure("disk", "is full", "delete something")


def away() -> list[Finding]:
    """Finds no server."""
    raise ConnectionError("connection\n\trefused")


def silent() -> list[Finding]:
    """Waits for an answer that comes too late."""
    time.sleep(2)
    return []


@pytest.mark.parametrize(("part", "status"), [(well, 0), (worried, 0), (ill, 1), (away, 1)])
def test_only_a_failure_is_a_failure(part: doctor.Part, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main([], {"disk": part}) == status
    assert capsys.readouterr().err == ""


def test_each_finding_is_a_line_with_its_advice_below(capsys: pytest.CaptureFixture[str]) -> None:
    doctor.main([], {"well": well, "ill": ill})
    assert capsys.readouterr().out.splitlines() == [
        "ok       disk  has room",
        "failure  disk  is full",
        "               -> delete something",
        "",
        "ok: 1, warning: 0, failure: 1",
    ]


def test_json_has_every_finding(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["--json"], {"well": well, "ill": ill}) == 1
    good, bad = json.loads(capsys.readouterr().out)
    assert good["status"] == "ok"
    assert bad == {"check": "disk", "status": "failure", "what": "is full", "advice": "delete something"}


def test_without_a_broker_nothing_is_asked_by_way_of_it() -> None:
    (found,) = doctor.examine({"broker": away, "workers": ill})
    assert (found.check, found.status) == ("broker", "failure")
    assert found.what == "does not answer: ConnectionError: connection refused"


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "DEADLINE", 0.1)
    (found,) = doctor.examine({"broker": silent})
    assert "nothing came within" in found.what
