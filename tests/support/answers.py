"""Answers to all questions, and the plan or the mistakes that follow from them. Nothing is baked."""

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
"""The answers that Cookiecutter proposes."""


def all_answers(**answers: object) -> dict[str, object]:
    """Return the answers to all questions: these, no beat jobs unless given, and the defaults."""
    return {**DEFAULTS, "beat_jobs": "", **answers}


def plan_of(**answers: object) -> Plan:
    """Return the plan for the answers; see `all_answers`."""
    return make_plan(all_answers(**answers))


def mistakes_in(**answers: object) -> tuple[str, ...]:
    """Return the lines by which the answers are refused, or none if they are valid; see `all_answers`."""
    try:
        plan_of(**answers)
    except InvalidAnswersError as refused:
        return refused.lines
    return ()
