"""The model of the outbox."""

from django.db import models
from django.utils import timezone


class OutboxMessage(models.Model):
    """A task that is not published yet. `args`, `kwargs` and `options` are the arguments of `apply_async` as JSON."""

    task = models.CharField(max_length=255)
    task_id = models.CharField(max_length=255)
    # Text, because the type jsonb changes numbers and rejects some strings that Celery accepts.
    args = models.TextField()
    kwargs = models.TextField()
    options = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    attempts = models.PositiveIntegerField(default=0)  # that failed
    next_attempt_at = models.DateTimeField(default=timezone.now, db_index=True)
    last_error = models.TextField(blank=True)

    class Meta:
        """The oldest message first."""

        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.task}[{self.task_id}]"
