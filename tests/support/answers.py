"""Answers to all questions, and their plan or errors, without baking."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from local_extensions.errors import InvalidAnswersError
from local_extensions.plan import make_plan

if TYPE_CHECKING:
    from local_extensions.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
DEFAULTS: dict[str, object] = {
    name: answer[0] if isinstance(answer, list) else answer
    for name, answer in QUESTIONS.items()
    if not name.startswith("_")
} | {
    # The computed defaults.
    "project_slug": "background_jobs",
    "beat_jobs": (
        "cleanup(days=30) = 0 3 * * * -> low_priority; health-check = every 10m; weekly-report = 0 8 * * mon"
    ),
}
"""The default answers of Cookiecutter."""


def all_answers(**answers: object) -> dict[str, object]:
    """Return the answers to all questions: these, no beat jobs unless given, and the defaults."""
    return {**DEFAULTS, "beat_jobs": "", **answers}


def plan_of(**answers: object) -> Plan:
    """Return the plan for the answers; see `all_answers`."""
    return make_plan(all_answers(**answers))


def list_errors(**answers: object) -> tuple[str, ...]:
    """Return the error messages of the answers; see `all_answers`."""
    try:
        plan_of(**answers)
    except InvalidAnswersError as error:
        return error.lines
    return ()
