"""The model of reports."""

from typing import Any

from django.conf import settings
from django.db import models

from {{ cookiecutter.project_slug }}.reports.tasks import build


class Report(models.Model):
    """The number of accounts that were created between two dates, inclusive.

    Saving a new report publishes the task that builds it. `built_at` is null until it is built.
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
        """The most recent request first."""

        ordering = ("-requested_at",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(since__lte=models.F("until")),
                name="report_since_before_until",
                violation_error_message="The end date is before the start date.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.since} to {self.until}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the report. Publish the task of a new report after the transaction is committed.

        Before the commit, a worker would not find the row. After a rollback, no task is published.
        """
        is_new = self._state.adding
        super().save(*args, **kwargs)
        if is_new:
            build.delay_on_commit(self.pk)
