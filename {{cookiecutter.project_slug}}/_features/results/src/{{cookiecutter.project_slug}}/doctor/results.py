"""The result backend."""

from collections.abc import Iterator

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.doctor.findings import Finding, ok


def examine() -> Iterator[Finding]:
    """Read a result that does not exist; a backend that is away raises."""
    app.backend.get_task_meta("doctor", cache=False)
    yield ok("results", "{{ plan().result_backend.label }} answers")
