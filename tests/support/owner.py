"""The lines that the owner of a project adds for another queue with a periodic task."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.bakery import Bakery
    from tests.support.project import BakedProject

ADDED_QUEUE = "emails"

OWNER_PROJECTS: dict[str, dict[str, str]] = {
    "without monitoring": {"monitoring": "no"},
    "default": {},
    "Django with everything": {
        "framework": "django",
        "broker": "rabbitmq",
        "result_backend": "database",
        "beat_scheduler": "database",
        "kubernetes": "yes",
        "ci": "gitlab",
    },
    "FastAPI on SQS": {"framework": "fastapi", "broker": "sqs"},
}


def bake_without_and_with_queue(bake: Bakery, name: str) -> tuple[BakedProject, BakedProject]:
    """Return one of `OWNER_PROJECTS`, and the same project with a further queue and a periodic task on it."""
    answers = OWNER_PROJECTS[name]
    queues, jobs = "default:4, reports:2", "health-check = every 10m"
    more = f"{queues}, {ADDED_QUEUE}:2", f"{jobs}; digest = 0 7 * * * -> {ADDED_QUEUE}"
    before = bake(**answers, queues=queues, beat_jobs=jobs)
    return before, bake(**answers, queues=more[0], beat_jobs=more[1])


def count_added_lines(before: BakedProject, after: BakedProject) -> dict[str, int]:
    """Return the number of new and changed lines by path."""
    added = {}
    for path in sorted(path.relative_to(after.path).as_posix() for path in after.path.rglob("*") if path.is_file()):
        old, new = (
            (project.path / path).read_text(encoding="utf-8").splitlines() if (project.path / path).exists() else []
            for project in (before, after)
        )
        if old != new:
            added[path] = sum(line.startswith("+ ") for line in difflib.ndiff(old, new))
    return added
