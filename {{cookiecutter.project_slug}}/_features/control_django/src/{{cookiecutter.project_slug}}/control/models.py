"""The model of pauses."""

from django.db import models


class Pause(models.Model):
    """A paused queue or periodic task."""

    kind = models.CharField(max_length=16)
    name = models.CharField(max_length=255)
    at = models.DateTimeField(auto_now_add=True)
    by = models.CharField(max_length=255)

    class Meta:
        """The permissions of the API and of the admin."""

        verbose_name_plural = "queues{{ " and periodic tasks" if plan().features.control_schedule }}"
        ordering = ("kind", "name")
        constraints = (models.UniqueConstraint(fields=("kind", "name"), name="pause_kind_name"),)
        default_permissions = ("view", "change")
        permissions = (("run_periodic_task", "Can run periodic tasks now"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
