"""Who may do what with tasks. It has no table: a permission belongs to a model, and these belong to none of the others."""

from django.db import models


class Task(models.Model):
    """The permissions that the views ask for; the admin grants them to people and groups."""

    class Meta:
        """Permissions only."""

        managed = False
        default_permissions = ()
        permissions = (
            ("submit_task", "Can submit tasks"),
            ("view_task", "Can see tasks, their results, queues and periodic jobs"),
            ("cancel_task", "Can cancel tasks"),
        )
