"""The admin of the outbox."""

from django.contrib import admin
from django.http import HttpRequest

from {{ cookiecutter.project_slug }}.outbox.models import OutboxMessage


@admin.register(OutboxMessage)
class OutboxMessageAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic only in the type stubs
    """The admin of unpublished tasks. They are read-only; deleting one discards its task."""

    list_display = ("task", "task_id", "created_at", "attempts", "next_attempt_at", "last_error")
    list_filter = ("task",)
    search_fields = ("task_id",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: tasks store the rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: OutboxMessage | None = None) -> bool:
        """Return False: a change could make the task invalid."""
        return False
