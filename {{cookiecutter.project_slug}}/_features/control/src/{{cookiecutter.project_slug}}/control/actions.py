"""The actions on queues and periodic tasks, with the names that they accept and the log lines with the acting user."""

from collections.abc import Iterable

import structlog
{% if plan().features.database_schedule %}
from celery.beat import ScheduleEntry, Scheduler
from django_celery_beat.models import PeriodicTask as Row
from django_celery_beat.schedulers import ModelEntry
{% elif plan().features.control_schedule %}
from celery.beat import ScheduleEntry, Scheduler
{% endif %}

{% if plan().features.beat %}
from {{ cookiecutter.project_slug }}.celery_app import app
{% endif %}
from {{ cookiecutter.project_slug }}.control import store
from {{ cookiecutter.project_slug }}.queues import QueueName
{% if plan().features.control_schedule %}
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE
{% endif %}
{% if plan().features.http_api %}
from {{ cookiecutter.project_slug }}.submissions import RefusedError
{% endif %}

log = structlog.get_logger(__name__)


{% if plan().features.http_api %}
class UnknownNameError(RefusedError):
    """A name without a queue or periodic task: 404 by HTTP."""

    def __init__(self, reason: str) -> None:
        super().__init__(404, reason)


{% elif plan().features.worker_only %}
class UnknownNameError(LookupError):
    """A name without a queue or periodic task."""


{% endif %}
def pause_queue(name: str, actor: str) -> None:
    """Stop the consumption of a queue by all workers, in a few seconds. A paused queue stays as it is.

    Args:
        name: The name of the queue.
        actor: The client or user, for the log and the list of pauses.

    Raises:
        UnknownNameError: No queue has the name.
    """
    check_name(name, QueueName, "queue")
    store.add_pause("queue", name, actor)
    log.info("queue paused", queue=name, actor=actor)


def resume_queue(name: str, actor: str) -> None:
    """Resume the consumption of a queue. Arguments and errors are those of `pause_queue`."""
    check_name(name, QueueName, "queue")
    store.delete_pause("queue", name)
    log.info("queue resumed", queue=name, actor=actor)


def check_name(name: str, names: Iterable[str], noun: str) -> None:
    """Raise an error that lists the names if the name is not one of them.

    Raises:
        UnknownNameError: The name is unknown.
    """
    if name not in [*names]:
        raise UnknownNameError(f"No {noun} has the name {name[:100]!r}. Names: {', '.join(names)}.")
{% if plan().features.beat %}


def pause_periodic_task(name: str, actor: str) -> None:
    """Stop the runs of a periodic task. Runs that are due during the pause are not sent later.

    Args:
        name: The name of the schedule entry.
        actor: The client or user, for the log{{ " and the list of pauses" if plan().features.control_schedule }}.

    Raises:
        UnknownNameError: No periodic task has the name.
    """
{% if plan().features.database_schedule %}
    row = find_row(name)
    row.enabled = False
    row.save()  # notifies beat
{% elif plan().features.control_schedule %}
    check_name(name, BEAT_SCHEDULE, "periodic task")
    store.add_pause("periodic task", name, actor)
{% endif %}
    log.info("periodic task paused", entry=name, actor=actor)


def resume_periodic_task(name: str, actor: str) -> None:
    """Resume the runs of a periodic task. Arguments and errors are those of `pause_periodic_task`."""
{% if plan().features.database_schedule %}
    row = find_row(name)
    row.enabled = True
    row.save()
{% elif plan().features.control_schedule %}
    check_name(name, BEAT_SCHEDULE, "periodic task")
    store.delete_pause("periodic task", name)
{% endif %}
    log.info("periodic task resumed", entry=name, actor=actor)


def find_entry(name: str) -> ScheduleEntry:
    """Return the schedule entry of a periodic task.

    Raises:
        UnknownNameError: No periodic task has the name.
    """
{% if plan().features.database_schedule %}
    entry: ScheduleEntry = ModelEntry(find_row(name), app=app)
    return entry
{% elif plan().features.control_schedule %}
    check_name(name, BEAT_SCHEDULE, "periodic task")
    return ScheduleEntry(name=name, app=app, **BEAT_SCHEDULE[name])
{% endif %}


def run_now(entry: ScheduleEntry, actor: str) -> str:
    """Publish a periodic task as beat does, also while it is paused. Return the id of the task.

    Args:
        entry: The schedule entry.
        actor: The client or user, for the log.

    Raises:
        celery.beat.SchedulingError: The broker is unavailable.
    """
    published = Scheduler(app, lazy=True).apply_async(entry, advance=False)
    log.info("periodic task published", entry=entry.name, task_id=published.id, actor=actor)
    return str(published.id)
{% endif %}
{% if plan().features.database_schedule %}


def find_row(name: str) -> Row:
    """Return the row of a periodic task.

    Raises:
        UnknownNameError: No row has the name.
    """
    check_name(name, Row.objects.order_by("name").values_list("name", flat=True), "periodic task")
    return Row.objects.get(name=name)
{% endif %}
