"""The alerts and the dashboard that follow from queues, jobs, broker and time limit."""

from __future__ import annotations

import re
from typing import Any

import pytest

from local_extensions.monitoring import BY_LABEL, buckets, long_wait, near
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


def graphs(**answers: str) -> list[dict[str, Any]]:
    """The graphs of the dashboard, without the heads of its rows."""
    panels: Any = plan_of(**answers).dashboard["panels"]
    return [panel for panel in panels if panel["type"] != "row"]


def test_the_time_limit_leaves_short_runs_their_place() -> None:
    (runs,) = (graph for graph in graphs(queues="q", task_time_limit="600") if graph["title"] == "How long they run")
    assert not [target for target in runs["targets"] if "600" in target["expr"]]  # a line up there would flatten theirs
    defaults = runs["fieldConfig"]["defaults"]
    assert defaults["thresholds"]["steps"][-1] == {"color": "red", "value": 600}
    assert defaults["custom"]["thresholdsStyle"] == {"mode": "line"}


def test_success_is_green_and_no_outcome_looks_like_another() -> None:
    (done,) = (graph for graph in graphs(queues="q") if graph["title"] == "Done a minute")
    rules = done["fieldConfig"]["overrides"]
    colors = {rule["matcher"]["options"]: rule["properties"][0]["value"]["fixedColor"] for rule in rules}
    assert colors["succeeded"] == "green"
    assert len(set(colors.values())) == len(colors)


def test_what_is_different_for_a_line_names_a_line_that_there_is() -> None:
    for graph in graphs():
        names = {rule["matcher"]["options"] for rule in graph["fieldConfig"]["overrides"]}
        legends = {target["legendFormat"] for target in graph["targets"]}
        assert names <= legends or legends == {BY_LABEL}, graph["title"]


def test_without_monitoring_nothing_of_it_is_in_the_plan() -> None:
    plan = plan_of(monitoring=False)
    texts = (plan.imports, plan.passwords, plan.compose_volumes, plan.compose_environment, *plan.readme_sections)
    text = " ".join((*texts, *plan.dependencies))
    assert not re.search("metrics|flower|grafana|prometheus|monitoring", text, re.IGNORECASE)
    assert set(plan.metrics_settings.values()) == {""}
