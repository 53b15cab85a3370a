"""The alerts and the dashboard that follow from queues, jobs, broker and time limit."""

from __future__ import annotations

import re

import pytest

from local_extensions.monitoring import buckets, long_wait, near
from local_extensions.plan import Limits
from tests.support.answers import plan_of


def alerts(**answers: str) -> set[tuple[str, str]]:
    """The names of the alerts, each with its queue or job."""
    groups = plan_of(**answers).alert_groups.values()
    return {(alert.name, next(iter(alert.of.values()), "")) for group in groups for alert in group}


def test_every_queue_and_every_job_has_its_alerts() -> None:
    found = alerts(queues="emails, reports:2@gevent", beat_jobs="tidy = @daily; poll = every 5m -> reports")

    of_queues = (
        "QueueBacklog",
        "QueueWithoutConsumer",
        "TasksFail",
        "TasksNearTimeLimit",
        "TasksWait",
        "WorkerRestarts",
    )
    assert found == {
        *((name, queue) for name in of_queues for queue in ("emails", "reports")),
        *((name, job) for name in ("JobFailed", "JobNotSent") for job in ("tidy", "poll")),
        *((name, "") for name in ("BeatSilent", "BrokerUnseen", "DeadLetters")),
    }


def test_without_jobs_nobody_misses_beat() -> None:
    assert not {name for name, _ in alerts()} & {"BeatSilent", "JobNotSent", "JobFailed"}


def test_sqs_leaves_dead_letters_to_cloudwatch_and_has_no_flower() -> None:
    assert "DeadLetters" not in {name for name, _ in alerts(broker="sqs")}
    assert not plan_of(broker="sqs").flower


@pytest.mark.parametrize(
    ("broker", "metric"), [("redis", "oldest_age"), ("rabbitmq", "task_wait"), ("sqs", "task_wait")]
)
def test_the_age_of_the_oldest_task_is_asked_for_where_it_is_known(broker: str, metric: str) -> None:
    (group,) = (group for name, group in plan_of(broker=broker, queues="q").alert_groups.items() if name == "queue q")
    (waits,) = (alert.expression for alert in group if alert.name == "TasksWait")
    assert metric in waits


def test_flower_asks_no_greenlets_on_rabbitmq_for_events() -> None:
    assert plan_of(broker="rabbitmq", queues="a").flower_events
    assert plan_of(broker="redis", queues="a@gevent").flower_events
    assert not plan_of(broker="rabbitmq", queues="a, b@gevent").flower_events


@pytest.mark.parametrize("seconds", [1, 7, 300, 42240, 43200])
def test_the_histograms_have_the_steps_that_the_rules_ask_for_in_order(seconds: int) -> None:
    limits = Limits.of(seconds)
    runtime, wait = plan_of(task_time_limit=str(seconds)).runtime_buckets, long_wait(limits)
    assert near(limits) in runtime
    assert list(runtime) == sorted(set(runtime))
    assert list(buckets(wait, 4 * wait))[-2:] == [wait, 4 * wait]


def test_without_monitoring_nothing_of_it_is_in_the_plan() -> None:
    plan = plan_of(monitoring=False)
    texts = (plan.imports, plan.passwords, plan.compose_volumes, plan.compose_environment, *plan.readme_sections)
    text = " ".join((*texts, *plan.dependencies))
    assert not re.search("metrics|flower|grafana|prometheus|monitoring", text, re.IGNORECASE)
    assert set(plan.metrics_settings.values()) == {""}
