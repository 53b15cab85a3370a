"""Permissions of the HTTP API, and dead letters in the admin."""

from django.db import models


class Task(models.Model):
    """A model without a table, since Django attaches every permission to a model."""

    class Meta:
        """The permissions. Grant them to users and groups in the admin."""

        managed = False
        default_permissions = ()
        permissions = (
            ("submit_task", "Can submit tasks"),
            ("view_task", "Can view tasks, results, queues and periodic tasks"),
            ("cancel_task", "Can cancel tasks"),
        )


class DeadLetter(models.Model):
    """A dead letter in the admin. It has no table: `admin.py` reads dead letters from the broker."""

    id = models.CharField(max_length=200, primary_key=True)
    task = models.CharField(max_length=200)
    queue = models.CharField(max_length=200)
    reason = models.TextField()
    at = models.DateTimeField("failed at", null=True)
    attempts = models.IntegerField(null=True)
    args = models.JSONField("positional arguments")
    kwargs = models.JSONField("keyword arguments")
    traceback = models.TextField(null=True)

    class Meta:
        """The permissions of the API and of the admin."""

        managed = False
        default_permissions = ("view",)
        permissions = (
            ("replay_deadletter", "Can replay dead letters"),
            ("discard_deadletter", "Can discard dead letters"),
        )

    def __str__(self) -> str:
        return self.id
