"""The answers to all questions, and what becomes of them, without baking."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from local_extensions.errors import Refused
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
    # The defaults that are computed.
    "project_slug": "background_jobs",
    "beat_jobs": "cleanup(days=30) = 0 3 * * * -> low_priority; health-check = every 10m",
}


def plan_of(**answers: object) -> Plan:
    """The plan for these answers; the others have their defaults, but there are no beat jobs unless given."""
    return make_plan({**DEFAULTS, "beat_jobs": "", **answers})


def mistakes_in(**answers: object) -> tuple[str, ...]:
    """The lines by which these answers are refused; none if they are not."""
    try:
        plan_of(**answers)
    except Refused as refused:
        return refused.lines
    return ()
