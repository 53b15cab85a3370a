"""The schedule entries of the code at the last synchronization."""

from django.db import models
from django_celery_beat.models import PeriodicTask


class SyncedEntry(models.Model):
    """A schedule entry of `schedule.py`, and its row in the database.

    If a field of the row differs from the definition, it was edited in the admin: `sync.py` does not change it.
    """

    key = models.CharField(max_length=200, unique=True)  # the key in BEAT_SCHEDULE
    definition = models.JSONField()  # the fields of the row, as last defined by the code
    row = models.ForeignKey(PeriodicTask, on_delete=models.SET_NULL, null=True, related_name="+")  # None if deleted

    def __str__(self) -> str:
        return self.key
