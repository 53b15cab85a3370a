"""What the code said of each job when the database was last brought in line with it."""

from django.db import models
from django_celery_beat.models import PeriodicTask


class SeededJob(models.Model):
    """A job of `schedule.py`, and its row in the database.

    What the row has and this has not, somebody changed in the admin; `sync.py` leaves that alone.
    """

    key = models.CharField(max_length=200, unique=True)  # in BEAT_SCHEDULE
    definition = models.JSONField()  # the row's fields, as the code had them last
    row = models.ForeignKey(PeriodicTask, on_delete=models.SET_NULL, null=True, related_name="+")  # None: deleted

    def __str__(self) -> str:
        return self.key
