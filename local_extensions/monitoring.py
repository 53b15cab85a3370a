"""The alerts of a project, each with numbers for which it fires, and its dashboard: data for Prometheus and Grafana."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local_extensions.choices import Broker
    from local_extensions.jobs import BeatJob
    from local_extensions.plan import Limits, Plan, Queue

PORT = 9700
"""Where worker and beat serve their metrics, each in a container of its own; on one machine, the first of a row."""

LADDER = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)
"""Seconds: steps of the histograms, up to the limit that matters. A quantile is as coarse as they are."""

BY_LABEL = "__auto"
"""A legend by which Grafana names each line by its label."""

BAD = 'outcome=~"failed|lost"'


@dataclass(frozen=True, eq=False, repr=False)
class Series:
    """What Prometheus has of a metric in a test of an alert: a sample each minute, from the minute 0 on.

    Attributes:
        name: the metric with its labels.
        healthy: its samples when all is well, as promtool writes them.
        broken: its samples when the alert fires; "" for none at all.
    """

    name: str
    healthy: str
    broken: str


@dataclass(frozen=True, eq=False, repr=False)
class Alert:
    """A rule of Prometheus.

    Attributes:
        name: of its kind, which is that of its entry in the runbook.
        of: labels that say which queue or job it is about.
        severity: "critical" if somebody should look at once.
        expression: PromQL, which may have several lines.
        wait: for how long it must be true.
        summary: what is wrong, in a line.
        series: what it looks at.
    """

    name: str
    of: dict[str, str]
    severity: str
    expression: str
    wait: str
    summary: str
    series: tuple[Series, ...]

    @property
    def labels(self) -> dict[str, str]:
        """The labels that it has when it fires."""
        return {"severity": self.severity, **self.of}

    @property
    def runbook(self) -> str:
        """Where its entry in the runbook is."""
        return f"docs/runbook.md#{self.name.lower()}"


@dataclass(frozen=True, eq=False, repr=False)
class Check:
    """A test of all alerts: what they look at, and by their names which of them fire at its end."""

    title: str
    samples: tuple[tuple[str, str], ...]
    firing: dict[str, list[Alert]]

    @property
    def expected(self) -> dict[str, list[dict[str, dict[str, str]]]]:
        """The alerts that fire, as promtool takes them."""
        return {
            name: [
                {"exp_labels": alert.labels, "exp_annotations": {"summary": alert.summary, "runbook": alert.runbook}}
                for alert in alerts
            ]
            for name, alerts in self.firing.items()
        }


@dataclass(frozen=True, eq=False, repr=False)
class Field:
    """How Grafana shows numbers.

    Attributes:
        settings: of a graph, such as its unit.
        drawn: how it is drawn.
        of: what is different for a line, by its legend.
    """

    settings: dict[str, Any]
    drawn: dict[str, Any] = field(default_factory=dict)
    of: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


COLORS = {
    "succeeded": "green",
    "retried": "yellow",
    "failed": "red",
    "lost": "purple",
    "expired": "orange",
    "revoked": "blue",
}
"""Of the outcomes; Grafana would give them away in the order of their names, and make success red."""

COUNT = Field({"unit": "short", "decimals": 0}, {"axisSoftMax": 1})
SECONDS = Field({"unit": "s"})
LATE = Field({"unit": "s"}, {"axisSoftMax": 60})
FAILURES = Field({**COUNT.settings, "noValue": "None"}, COUNT.drawn)
# Of a thousand tasks and one worker, the worker is seen on an axis of its own.
TASKS_AND_WORKERS = Field(
    COUNT.settings,
    COUNT.drawn,
    {
        "workers": [
            {"id": "custom.axisPlacement", "value": "right"},
            {"id": "custom.axisSoftMax", "value": 2},
            {"id": "custom.lineInterpolation", "value": "stepAfter"},
            {"id": "custom.fillOpacity", "value": 0},
        ]
    },
)
OUTCOMES = Field(
    {"unit": "short"},
    of={
        outcome: [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}] for outcome, color in COLORS.items()
    },
)


def up_to(limit: int) -> Field:
    """Seconds, with a line at a limit; it is seen when they come near, and leaves them their place until then."""
    steps = [{"color": "green", "value": None}, {"color": "red", "value": limit}]
    return Field(
        {**SECONDS.settings, "thresholds": {"mode": "absolute", "steps": steps}}, {"thresholdsStyle": {"mode": "line"}}
    )


def text(value: str) -> str:
    """A string of PromQL."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def near(limits: Limits) -> float:
    """Seconds from which on a run is near the time limit: four fifths of it."""
    return limits.task_time_limit * 8 / 10


def long_wait(limits: Limits) -> int:
    """Seconds after which a task has waited for too long: as long as the longest takes, and at least 5 minutes."""
    return max(300, limits.task_time_limit)


def buckets(*marks: float) -> tuple[float, ...]:
    """The upper bounds of a histogram that must have these."""
    return (*(step for step in LADDER if step < min(marks)), *marks)


def processes(queue: Queue) -> int:
    """How many tasks a queue's worker runs at a time; four, if that depends on the machine."""
    return 4 if queue.concurrency == "auto" else int(queue.concurrency)


def alerts_of_queue(queue: Queue, broker: Broker, limits: Limits) -> tuple[Alert, ...]:
    """The rules for a queue and its worker."""
    of = {"queue": queue.name}
    queue_is = f"queue={text(queue.name)}"
    backlog = 100 * processes(queue)
    done, runtime = f"celery_tasks_total{{{queue_is}", "celery_task_runtime_seconds"
    return (
        Alert(
            "QueueBacklog",
            of,
            "warning",
            f"max(celery_queue_length{{{queue_is}}}) > {backlog}",
            "10m",
            f"More than {backlog} tasks wait in the queue {queue.name}.",
            (Series(f"celery_queue_length{{{queue_is}}}", f"{backlog}x60", f"{backlog + 1}x60"),),
        ),
        oldest(queue.name, long_wait(limits)) if broker.shows_oldest else waited(queue.name, long_wait(limits)),
        Alert(
            "QueueWithoutConsumer",
            of,
            "critical",
            f"(sum(celery_worker_consuming{{{queue_is}}}) or vector(0)) < 1",
            "5m",
            f"No worker takes tasks from the queue {queue.name}.",
            (Series(f"celery_worker_consuming{{{queue_is}}}", "1x60", "1x40 _x20"),),
        ),
        Alert(
            "TasksFail",
            of,
            "warning",
            f"sum(increase({done}, {BAD}}}[15m])) > 4.5\nand\nsum(increase({done}, {BAD}}}[15m]))"
            f' > 0.1 * sum(increase({done}, outcome=~"succeeded|failed|lost"}}[15m]))',
            "0m",
            f"More than a tenth of the tasks on the queue {queue.name} fail.",
            (
                Series(f'{done}, outcome="succeeded"}}', "0+20x60", "0+5x60"),
                Series(f'{done}, outcome="failed"}}', "0+1x60", "0+1x60"),
            ),
        ),
        Alert(
            "TasksNearTimeLimit",
            of,
            "warning",
            f"sum(increase({runtime}_count{{{queue_is}}}[1h]))\n"
            f'- sum(increase({runtime}_bucket{{{queue_is}, le="{near(limits)}"}}[1h])) > 0.5',
            "0m",
            f"A task on the queue {queue.name} ran for more than {near(limits):g} s; it may run for"
            f" {limits.task_time_limit} s.",
            (
                Series(f"{runtime}_count{{{queue_is}}}", "0+10x60", "0+10x60"),
                Series(f'{runtime}_bucket{{{queue_is}, le="{near(limits)}"}}', "0+10x60", "0+10x50 509+10x9"),
            ),
        ),
        Alert(
            "WorkerRestarts",
            of,
            "warning",
            f"changes((max(celery_worker_start_timestamp_seconds{{{queue_is}}}))[30m:1m]) > 3",
            "0m",
            f"The worker of the queue {queue.name} was started more than three times in half an hour.",
            (Series(f"celery_worker_start_timestamp_seconds{{{queue_is}}}", "0x40 2400x20", "0x40 2400+180x20"),),
        ),
    )


def oldest(queue: str, wait: int) -> Alert:
    """The rule for the age of a queue's oldest task, where the broker shows it."""
    metric = f"celery_queue_oldest_age_seconds{{queue={text(queue)}}}"
    return Alert(
        "TasksWait",
        {"queue": queue},
        "warning",
        f"max({metric}) > {wait}",
        "2m",
        f"A task has waited in the queue {queue} for more than {wait} s.",
        (Series(metric, f"{wait}x60", f"{wait + 1}x60"),),
    )


def waited(queue: str, wait: int) -> Alert:
    """Likewise where it does not: what tasks had waited when a worker took them."""
    metric, queue_is = "celery_task_wait_seconds", f"queue={text(queue)}"
    return Alert(
        "TasksWait",
        {"queue": queue},
        "warning",
        f"sum(increase({metric}_count{{{queue_is}}}[15m]))\n"
        f'- sum(increase({metric}_bucket{{{queue_is}, le="{float(wait)}"}}[15m])) > 0.5',
        "0m",
        f"A task had waited in the queue {queue} for more than {wait} s.",
        (
            Series(f"{metric}_count{{{queue_is}}}", "0+10x60", "0+10x60"),
            Series(f'{metric}_bucket{{{queue_is}, le="{float(wait)}"}}', "0+10x60", "0+10x55 559+10x4"),
        ),
    )


def alerts_of_beat() -> tuple[Alert, ...]:
    """The rules for beat itself."""
    tick = "celery_beat_last_tick_timestamp_seconds"
    return (
        Alert(
            "BeatSilent",
            {},
            "critical",
            f"time() - (max({tick}) or vector(0)) > 180",
            "2m",
            "No beat has looked at the schedule for three minutes.",
            (Series(tick, "0+60x60", "0+60x50 _x10"),),
        ),
    )


def alerts_of_job(job: BeatJob) -> tuple[Alert, ...]:
    """The rules for a job of beat."""
    due = f"celery_beat_job_due_timestamp_seconds{{entry={text(job.key)}}}"
    done = f"celery_tasks_total{{task={text(job.task)}"
    return (
        Alert(
            "JobNotSent",
            {"job_name": job.name},
            "warning",
            f"time() - max({due}) > 300",
            "1m",
            f"Beat should have sent the job {job.name} more than five minutes ago.",
            (Series(due, "86400x60", "1800x60"),),
        ),
        Alert(
            "JobFailed",
            {"job_name": job.name},
            "warning",
            f'sum(increase({done}, outcome=~"failed|lost|expired"}}[1h])) > 0.5',
            "0m",
            f"The job {job.name} failed, or no worker took it before its next run.",
            (Series(f'{done}, outcome="expired"}}', "0x60", "0x50 1x9"),),
        ),
    )


def alerts_of_all(broker: Broker) -> tuple[Alert, ...]:
    """The rules that are about no queue."""
    dead = Alert(
        "DeadLetters",
        {},
        "warning",
        "max(celery_dead_letters) > 0",
        "5m",
        "There are tasks that failed for good.",
        (Series("celery_dead_letters", "0x60", "0x50 1x9"),),
    )
    unseen = Alert(
        "BrokerUnseen",
        {},
        "critical",
        "(max(celery_broker_up) or vector(0)) < 1",
        "5m",
        "The exporter does not run, or the broker does not answer it.",
        (Series("celery_broker_up", "1x60", "1x50 0x9"),),
    )
    return (unseen, dead) if broker.counts_dead_letters else (unseen,)


def checks(alerts: Iterable[Alert]) -> tuple[Check, ...]:
    """The tests of these alerts: that all are silent when all is well, and that each fires in its own trouble."""
    kinds: dict[str, list[Alert]] = {}
    for alert in alerts:
        kinds.setdefault(alert.name, []).append(alert)
    series = [each for same in kinds.values() for alert in same for each in alert.series]
    healthy = tuple((each.name, each.healthy) for each in series)
    broken = tuple((each.name, each.broken) for each in series)
    return (
        Check("All is well, and no alert fires", healthy, {name: [] for name in kinds}),
        Check("Everything is wrong, and every alert fires", broken, kinds),
    )


def panel(
    title: str, place: tuple[int, int, int], targets: dict[str, str], field: Field, description: str = ""
) -> dict[str, Any]:
    """A graph of the dashboard. Its place is column, row and width; its targets are PromQL by their legends."""
    column, row, width = place
    return {
        "type": "timeseries",
        "title": title,
        **({"description": description} if description else {}),
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "gridPos": {"x": column, "y": row, "w": width, "h": 8},
        "fieldConfig": {
            "defaults": {
                "color": {"mode": "palette-classic"},
                "min": 0,
                **field.settings,
                "custom": {"fillOpacity": 10, **field.drawn},
            },
            "overrides": [
                {"matcher": {"id": "byName", "options": name}, "properties": properties}
                for name, properties in field.of.items()
            ],
        },
        "targets": [
            {"refId": chr(ord("A") + number), "expr": expression, "legendFormat": legend}
            for number, (legend, expression) in enumerate(targets.items())
        ],
    }


def row(title: str, place: int) -> dict[str, Any]:
    """The head of a row of graphs."""
    return {"type": "row", "title": title, "collapsed": False, "gridPos": {"x": 0, "y": place, "w": 24, "h": 1}}


def panels_of_queue(queue: str, broker: Broker, limits: Limits, place: int) -> list[dict[str, Any]]:
    """The graphs of a queue, in a row of its own."""
    queue_is = f"queue={text(queue)}"
    waits = {"slowest of ten, when taken": quantile("celery_task_wait_seconds", queue_is, 0.9)}
    if broker.shows_oldest:
        waits = {"the oldest": f"max(celery_queue_oldest_age_seconds{{{queue_is}}})", **waits}
    runtime = "celery_task_runtime_seconds"
    return [
        row(f"Queue {queue}", place),
        panel(
            "Waiting, and who takes them",
            (0, place + 1, 6),
            {
                "tasks": f"max(celery_queue_length{{{queue_is}}})",
                "workers": f"sum(celery_worker_consuming{{{queue_is}}}) or vector(0)",
            },
            TASKS_AND_WORKERS,
        ),
        panel("How long they wait", (6, place + 1, 6), waits, SECONDS),
        panel(
            "Done a minute",
            (12, place + 1, 6),
            {BY_LABEL: f"60 * sum by (outcome) (rate(celery_tasks_total{{{queue_is}}}[5m]))"},
            OUTCOMES,
        ),
        panel(
            "How long they run",
            (18, place + 1, 6),
            {
                "half of them": quantile(runtime, queue_is, 0.5),
                "slowest of ten": quantile(runtime, queue_is, 0.9),
            },
            up_to(limits.task_time_limit),
            f"The red line is the time limit, {limits.task_time_limit} s.",
        ),
    ]


def quantile(metric: str, labels: str, share: float) -> str:
    """PromQL for the time below which this share of a histogram is."""
    return f"histogram_quantile({share}, sum by (le) (rate({metric}_bucket{{{labels}}}[5m])))"


def panels_of_all(broker: Broker, *, beat: bool) -> list[dict[str, Any]]:
    """The graphs above those of the queues, in one row."""
    graphs: list[tuple[str, dict[str, str], Field]] = [
        ("Waiting in all queues", {BY_LABEL: "sum by (queue) (celery_queue_length)"}, COUNT),
        (
            "Failed in the last hour",
            {BY_LABEL: f"sum by (task) (increase(celery_tasks_total{{{BAD}}}[1h])) > 0"},
            FAILURES,
        ),
    ]
    if broker.counts_dead_letters:
        graphs.append(("Dead letters", {"dead letters": "max(celery_dead_letters)"}, COUNT))
    if beat:
        # Also of a beat that is gone, and tells nothing any more.
        due = "max by (entry) (last_over_time(celery_beat_job_due_timestamp_seconds[1h]))"
        graphs.append(("How late beat's jobs are", {BY_LABEL: f"clamp_min(time() - {due}, 0)"}, LATE))
    width = 24 // len(graphs)
    return [panel(title, (width * at, 0, width), targets, field) for at, (title, targets, field) in enumerate(graphs)]


def dashboard(plan: Plan) -> dict[str, Any]:
    """Grafana's dashboard: what is in all queues, then a row for each."""
    panels = panels_of_all(plan.broker, beat=bool(plan.jobs))
    for number, queue in enumerate(plan.queues):
        panels += panels_of_queue(queue.name, plan.broker, plan.limits, 8 + 9 * number)
    return {
        "uid": plan.slug.replace("_", "-")[:40],
        "title": plan.project.name,
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "panels": [{"id": number, **each} for number, each in enumerate(panels, start=1)],
    }
