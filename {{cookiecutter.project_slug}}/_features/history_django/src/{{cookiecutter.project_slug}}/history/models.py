"""The model of runs."""

from typing import get_args

from django.db import models

from {{ cookiecutter.project_slug }}.history.runs import Outcome


class Run(models.Model):
    """A run of a task that ended. A retry is another run with the same `task_id`."""

    task_id = models.CharField(max_length=255)
    task = models.CharField(max_length=255)
    queue = models.CharField(max_length=255)
    worker = models.CharField(max_length=255)
    arguments = models.TextField(blank=True)
    published = models.DateTimeField(null=True)
    started = models.DateTimeField(null=True)
    ended = models.DateTimeField()
    outcome = models.CharField(max_length=16, choices=[(outcome, outcome) for outcome in get_args(Outcome)])
    retries = models.PositiveIntegerField()
    error = models.TextField(blank=True)
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        """The most recent run first."""

        ordering = ("-ended", "-id")
        indexes = (
            models.Index(fields=("task_id",), name="run_task_id"),
            models.Index(fields=("ended", "id"), name="run_ended"),
            models.Index(fields=("task", "ended", "id"), name="run_task_ended"),
            models.Index(fields=("outcome", "ended", "id"), name="run_outcome_ended"),
            models.Index(fields=("trace_id",), name="run_trace_id", condition=~models.Q(trace_id="")),
        )

    def __str__(self) -> str:
        return f"{self.task}[{self.task_id}]"
