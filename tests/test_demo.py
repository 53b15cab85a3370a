"""`make demo`: the worker and beat of a new project run tasks."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.demo import ANSWERS
from tests.support.project import clean_environment
from tests.support.variants import DEPENDENCIES, ROOT, Variant, combinations, cover_answers, is_supported, variant

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bakery import Bakery

pytestmark = pytest.mark.slow

QUEUES = [piece.split(":")[0].strip() for piece in ANSWERS["queues"].split(",")]
JOBS = [piece.split("=")[0].split("(")[0].strip() for piece in ANSWERS["beat_jobs"].split("; ")]


def covering_variants() -> list[Variant]:
    """Return few variants that cover each framework, broker, result backend and scheduler."""
    return cover_answers(
        [variant(answers) for answers in filter(is_supported, combinations(list(DEPENDENCIES)))], DEPENDENCIES
    )


def make_demo(folder: Path, target: str = "demo") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", target],
        cwd=folder,
        env=clean_environment() | {"COLUMNS": "150"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_demo_of_the_template_runs_a_task_on_each_queue() -> None:
    completed = make_demo(ROOT)

    assert completed.returncode == 0, completed.stdout
    missing = [name for name in (*QUEUES, *JOBS) if name.replace("-", "_") not in completed.stdout]
    assert not missing, f"the table does not contain {missing}:\n{completed.stdout}"


@pytest.mark.parametrize("chosen", covering_variants(), ids=str)
def test_the_demo_of_a_project_runs_with_the_embedded_broker(chosen: Variant, bake: Bakery, tmp_path: Path) -> None:
    few = {"queues": "default:1, mail:2@threads", "beat_jobs": "tidy = @daily -> mail"}
    project = bake(**chosen.answers, **few).copy_to(tmp_path)

    completed = make_demo(project.path)

    number = 4 if chosen.answers.get("framework") == "django" else 3  # Django clears its sessions
    assert completed.returncode == 0, completed.stdout
    assert f"{number} of {number} tasks succeeded on the workers of" in completed.stdout


def test_the_demo_of_a_project_includes_a_queue_that_was_added_by_hand(bake: Bakery, tmp_path: Path) -> None:
    project = bake(queues="default:1", beat_jobs="tidy = @daily").copy_to(tmp_path)
    queues = project.package / "queues.py"
    added = queues.read_text(encoding="utf-8").replace(' = "default"\n', ' = "default"\n    MAIL = "mail"\n')
    queues.write_text(added, encoding="utf-8")
    (project.package / "tasks" / "mail.py").write_text('"""Tasks that run on the queue `mail`."""\n', encoding="utf-8")

    completed = make_demo(project.path)

    assert completed.returncode == 0, completed.stdout
    assert "3 of 3 tasks succeeded on the workers of 2 queues" in completed.stdout


def test_the_demo_of_a_project_fails_if_a_task_fails(bake: Bakery, tmp_path: Path) -> None:
    project = bake(**ANSWERS).copy_to(tmp_path)
    tasks = project.package / "tasks" / "reports.py"
    text = tasks.read_text(encoding="utf-8")
    assert "def cleanup() -> None:\n" in text
    tasks.write_text(
        text.replace("def cleanup() -> None:\n", 'def cleanup() -> None:\n    raise RuntimeError("broken")\n'),
        encoding="utf-8",
    )

    completed = make_demo(project.path)

    assert completed.returncode != 0, completed.stdout


def test_the_drill_of_a_project_reports_the_cost_of_faults(bake: Bakery, tmp_path: Path) -> None:
    completed = make_demo(bake(queues="default:1", beat_jobs="").copy_to(tmp_path).path, "drill")

    assert completed.returncode == 0, completed.stdout
    rows = {cells[1]: cells[2:6] for cells in parse_table(completed.stdout)}
    assert {(sent, runs, lost) for sent, runs, _, lost in rows.values()} == {("60", "60", "0")}
    assert rows["a worker is stopped"][2] == "0"


def test_the_drill_of_a_project_fails_if_a_task_is_lost(bake: Bakery, tmp_path: Path) -> None:
    project = bake(queues="default:1", beat_jobs="", framework="django").copy_to(tmp_path)
    for file, old, new in (
        (project.package / "settings" / "celery.py", "TASK_ACKS_LATE = True", "TASK_ACKS_LATE = False"),
        (project.path / "scripts" / "drill.py", "TIMEOUT = 180.0", "TIMEOUT = 60.0"),
    ):
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    completed = make_demo(project.path, "drill")

    assert completed.returncode != 0, completed.stdout
    (killed,) = (cells for cells in parse_table(completed.stdout) if cells[1] == "a worker is killed")
    assert (int(killed[5]) > 0, killed[6]) == (True, "none"), completed.stdout


def parse_table(output: str) -> list[list[str]]:
    """Return the rows of a table as lists of cells."""
    return [[cell.strip() for cell in line.split("│")] for line in output.splitlines() if line.startswith("│ ")]
