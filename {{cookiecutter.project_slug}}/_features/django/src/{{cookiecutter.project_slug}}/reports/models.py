"""What people ask for, and what became of it."""

from typing import Any

from django.conf import settings
from django.db import models

from {{ cookiecutter.project_slug }}.reports.tasks import build


class Report(models.Model):
    """How many accounts were opened from one day to another, both included.

    To create one is to have it built. A row whose `built_at` is empty still waits for that.
    """

    since = models.DateField()
    until = models.DateField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="reports"
    )
    requested_at = models.DateTimeField(auto_now_add=True)
    built_at = models.DateTimeField(null=True, editable=False)
    accounts = models.PositiveIntegerField(null=True, editable=False)

    class Meta:
        """The last one asked for comes first."""

        ordering = ("-requested_at",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(since__lte=models.F("until")),
                name="report_since_before_until",
                violation_error_message="It ends before it begins.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.since} to {self.until}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save it; a new one is built once the transaction that it belongs to is committed.

        Not before: a worker may be quicker than the commit, and would not find the row. Never, if it is
        rolled back.
        """
        new = self._state.adding
        super().save(*args, **kwargs)
        if new:
            build.delay_on_commit(self.pk)
