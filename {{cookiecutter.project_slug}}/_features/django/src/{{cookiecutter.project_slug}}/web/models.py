"""Permissions of the HTTP API."""

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
