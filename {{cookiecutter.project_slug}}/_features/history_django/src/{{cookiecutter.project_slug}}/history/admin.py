"""The admin of the history, which is read-only."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.history.models import Run
from {{ cookiecutter.project_slug }}.history.runs import format_runtime
from {{ cookiecutter.project_slug }}.queues import QueueName


class NameFilter(admin.SimpleListFilter):
    """A filter with known names. A filter by the values in the table would read the whole table."""

    parameter_name: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        """Return the runs with the selected name."""
        return queryset.filter(**{self.parameter_name: self.value()}) if self.value() else queryset


class QueueFilter(NameFilter):
    """A filter by queue."""

    title = parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the queues."""
        return [(name.value, name.value) for name in QueueName]


class TaskFilter(NameFilter):
    """A filter by task."""

    title = parameter_name = "task"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the tasks of this project, and those that were called by Celery."""
        return [(name, name) for name in sorted(app.tasks)]


@admin.register(Run)
class RunAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic only in the type stubs
    """The admin of runs."""

    list_display = ("ended", "task", "queue", "outcome", "retries", "seconds", "worker", "task_runs")
    list_filter = ("outcome", QueueFilter, TaskFilter)
    date_hierarchy = "ended"
    search_fields = ("=task_id", "=trace_id")
    search_help_text = "A task id or a trace id"
    show_full_result_count = False
    list_per_page = 50
    fields = (
        *("task", "task_id", "task_runs", "queue", "worker", "arguments", "outcome", "retries", "error"),
        *("published", "started", "ended", "seconds", "trace_id", "trace_runs"),
    )

    @admin.display(description="seconds")
    def seconds(self, run: Run) -> str:
        """Return the runtime."""
        return format_runtime(run.started, run.ended)

    @admin.display(description="runs of the task")
    def task_runs(self, run: Run) -> str:
        """Return a link to the runs of the same task: its retries."""
        return self._link(run.task_id)

    @admin.display(description="runs of the trace")
    def trace_runs(self, run: Run) -> str:
        """Return a link to the runs of the same trace."""
        return self._link(run.trace_id)

    def _link(self, text: str) -> str:
        url = f"{reverse('admin:history_run_changelist')}?{urlencode({'q': text})}"
        return format_html('<a href="{}">{}</a>', url, text) if text else ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: workers write the history."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        """Return False: the history is read-only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        """Return False: workers delete old runs."""
        return False
