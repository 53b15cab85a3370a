"""The actions, their command and the doctor's check."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
{% if plan().features.beat %}
from typing import Any
from unittest.mock import Mock
{% endif %}

import pytest
from structlog.testing import capture_logs

from {{ cookiecutter.project_slug }} import doctor
{% if plan().features.beat %}
from {{ cookiecutter.project_slug }}.celery_app import app
{% endif %}
from {{ cookiecutter.project_slug }}.control import __main__ as command
from {{ cookiecutter.project_slug }}.control import actions, store
from {{ cookiecutter.project_slug }}.control.pauses import Pause
from {{ cookiecutter.project_slug }}.findings import Note
{% if plan().features.database_schedule %}
from {{ cookiecutter.project_slug }}.periodic.sync import sync
{% endif %}
{% if plan().features.beat %}
from {{ cookiecutter.project_slug }}.periodic_tasks import list_periodic_tasks
{% endif %}
from {{ cookiecutter.project_slug }}.queues import QueueName
{% if plan().features.beat %}
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE
{% endif %}

QUEUE = next(iter(QueueName)).value
{% if plan().features.beat %}
ENTRY = next(iter(BEAT_SCHEDULE))
{% endif %}
{% if plan().features.control_django %}

pytestmark = pytest.mark.django_db
{% endif %}


@pytest.fixture(autouse=True)
def no_pauses({{ "db: None" if plan().features.control_django }}) -> Iterator[None]:
    """Resume everything at the end: other tests use the same database."""
{% if plan().features.database_schedule %}
    sync(app)
{% endif %}
    yield
    for pause in store.list_pauses():
        store.delete_pause(pause.kind, pause.name)  # type: ignore[arg-type]


def test_a_paused_queue_stays_as_it_is() -> None:
    with capture_logs() as lines:
        actions.pause_queue(QUEUE, "alice")
        actions.pause_queue(QUEUE, "bob")
    (pause,) = store.list_pauses()
    assert (pause.kind, pause.name, pause.by) == ("queue", QUEUE, "alice")
    assert datetime.now(UTC) - pause.at < timedelta(minutes=1)
    assert [(line["event"], line["queue"], line["actor"]) for line in lines] == [
        ("queue paused", QUEUE, "alice"),
        ("queue paused", QUEUE, "bob"),
    ]
    actions.resume_queue(QUEUE, "bob")
    actions.resume_queue(QUEUE, "bob")
    assert store.list_pauses() == []


def test_the_command_pauses_lists_and_resumes_queues(capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["queues", "pause", QUEUE])
    assert capsys.readouterr().out.endswith(f"paused: {QUEUE}\n")
    command.main(["queues", "list", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["paused"], row["by"]) for row in rows] == [
        (name.value, name == QUEUE, "command line" if name == QUEUE else "") for name in QueueName
    ]
    command.main(["queues", "resume", QUEUE])
    assert capsys.readouterr().out.endswith(f"resumed: {QUEUE}\n")
    command.main(["queues", "list"])
    headers, row, *_ = (line.split() for line in capsys.readouterr().out.splitlines())
    assert (headers, row) == (["NAME", "PAUSED", "SINCE", "BY"], [QUEUE, "no"])


@pytest.mark.parametrize("module", ["control", "doctor"])
def test_a_command_starts_in_a_new_process(module: str) -> None:
    command = [sys.executable, "-m", f"{{ cookiecutter.project_slug }}.{module}", "--help"]
    completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (completed.returncode, completed.stderr) == (0, "")


{% filter one_line_if_short %}
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["queues", "pause", "unknown"], f"No queue has the name 'unknown'. Names: {', '.join(QueueName)}.\n"),
{% if plan().features.beat %}
        (["schedule", "run", "unknown"], "No periodic task has the name 'unknown'. Names: "),
        (["schedule", "resume", "unknown"], "No periodic task has the name 'unknown'. Names: "),
{% endif %}
        (["queues", "pause"], "usage: "),
        (["queues"], "usage: "),
    ],
)
{% endfilter %}
def test_wrong_usage_has_status_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        command.main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith(message)


def test_the_doctor_notes_a_pause_and_reports_a_forgotten_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    ages = {"new": timedelta(hours=23), "old": timedelta(days=2)}
    pauses = [Pause("queue", name, now - age, "alice") for name, age in ages.items()]
    monkeypatch.setattr(store, "list_pauses", lambda: pauses)
    new, old = doctor.check_pauses()
    assert isinstance(new, Note)
    assert new.startswith("queue new: paused by alice since ")
    assert not isinstance(old, Note)
    assert old.endswith("more than a day: resume it")
{% if plan().features.beat %}


def test_a_periodic_task_is_paused_and_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["schedule", "pause", ENTRY])
    assert [task.name for task in list_periodic_tasks() if task.paused] == [ENTRY]
    command.main(["schedule", "list"])
    assert f"{ENTRY}  " in capsys.readouterr().out
    command.main(["schedule", "resume", ENTRY])
    assert not any(task.paused for task in list_periodic_tasks())


def test_run_now_publishes_what_beat_publishes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    published: dict[str, Any] = {}

    def publish(name: str, args: Any, kwargs: Any, **options: Any) -> Mock:
        published.update(options, name=name, args=list(args), kwargs=dict(kwargs))
        return Mock(id="an id")

    monkeypatch.setattr(app, "send_task", publish)
    actions.pause_periodic_task(ENTRY, "alice")
    command.main(["schedule", "run", ENTRY])

    assert capsys.readouterr().out.endswith("an id\n")
    entry = BEAT_SCHEDULE[ENTRY]
    assert published["name"] == entry["task"]
    assert (published["args"], published["kwargs"]) == (list(entry.get("args", ())), entry.get("kwargs", {}))
    assert (published["queue"], published["expires"]) == (entry["options"]["queue"], entry["options"]["expires"])
{% endif %}
