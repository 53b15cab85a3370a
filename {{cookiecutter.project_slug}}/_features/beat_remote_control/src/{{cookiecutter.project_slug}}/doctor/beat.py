"""The one beat."""

from collections.abc import Iterator, Sequence

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.doctor.findings import Finding, failure, ok

WAIT = 2.0
"""Seconds in which beat answers; one that has not ticked for a minute does not."""


def examine() -> Iterator[Finding]:
    """Ask who is there."""
    replies = app.control.ping(timeout=WAIT) or []
    yield one_beat([name for reply in replies for name in reply if name.startswith("celerybeat")])


def one_beat(names: Sequence[str]) -> Finding:
    """Whether exactly one beat is alive."""
    if not names:
        advice = "start it, as compose.yaml does; if it runs, it hangs or has no connection: its log says which"
        return failure("beat", "none answers, so no job is sent", advice)
    if len(names) > 1:
        return failure("beat", f"{', '.join(sorted(names))} all send every job", "stop all of them but one")
    return ok("beat", f"{names[0]} is alive, and the only one")
