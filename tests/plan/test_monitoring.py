"""The alert rules and the dashboard, which are the same for all queues, tasks and limits."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from tests.support.answers import plan_of
from tests.support.render import list_paths, render

MONITORING = "_features/monitoring/deploy/monitoring"
DASHBOARD = f"{MONITORING}/grafana/dashboards/queues.json"


def alerts(**answers: object) -> set[str]:
    """Return the names of the alerts."""
    (group,) = yaml.safe_load(render(f"{MONITORING}/rules.yaml", **answers))["groups"]
    return {rule["alert"] for rule in group["rules"]}


@pytest.mark.parametrize("path", [f"{MONITORING}/rules.yaml", f"{MONITORING}/rules_test.yaml", DASHBOARD])
@pytest.mark.parametrize("broker", ["redis", "rabbitmq", "sqs"])
def test_alerts_and_dashboard_do_not_change_with_queues_tasks_or_limits(path: str, broker: str) -> None:
    answers = {"queues": "a, b:2@gevent", "beat_jobs": "x = @daily; y(1) = every 5m -> b", "task_time_limit": "7"}
    one = render(path, broker=broker, beat_jobs="tidy = @hourly", queues="emails:auto")
    assert render(path, **answers, broker=broker) == one


def test_each_project_has_the_alerts_of_its_features() -> None:
    of_beat = {"CeleryBeatDown", "CeleryBeatTaskOverdue", "CeleryPeriodicTaskFailed"}
    every = {
        "CeleryQueueBacklog",
        "CeleryQueueWithoutConsumers",
        "CeleryQueueLatencyHigh",
        "CeleryTaskFailureRateHigh",
        "CeleryTaskNearTimeLimit",
        "CeleryWorkerRestarts",
        "CeleryBrokerUnreachable",
    }
    assert alerts(broker="sqs") == every
    of_dead_letters = {"CeleryDeadLetters", "CeleryDeadLettersNearLimit"}
    assert alerts(broker="rabbitmq") == every | of_dead_letters
    of_redis = of_dead_letters | {"CeleryRedisMemoryOverBudget"}
    assert alerts(beat_jobs="tidy = @daily") == every | of_redis | of_beat


def test_sqs_has_no_dead_letter_alert_and_no_flower() -> None:
    assert "CeleryDeadLetters" not in alerts(broker="sqs")
    alarms = render("_features/sqs_metrics/deploy/aws/alarms.yaml", broker="sqs", queues="emails:1")
    assert "ApproximateNumberOfMessagesVisible" in alarms
    assert "${Prefix}emails-DLQ" in alarms
    assert not plan_of(broker="sqs").features["flower"]


def test_flower_does_not_enable_events_for_gevent_on_rabbitmq() -> None:
    assert plan_of(broker="rabbitmq", queues="a").flower_events
    assert plan_of(broker="redis", queues="a@gevent").flower_events
    assert not plan_of(broker="rabbitmq", queues="a, b@gevent").flower_events


def dashboard(**answers: object) -> dict[str, Any]:
    """Return the dashboard."""
    found: dict[str, Any] = json.loads(render(DASHBOARD, **answers))
    return found


@pytest.mark.parametrize("broker", ["redis", "rabbitmq", "sqs"])
@pytest.mark.parametrize("jobs", ["", "a = @daily"])
def test_the_dashboard_has_the_standard_panels_without_overlaps(broker: str, jobs: str) -> None:
    panels = dashboard(broker=broker, beat_jobs=jobs)["panels"]
    (row,) = (number for number, panel in enumerate(panels) if panel["type"] == "row")
    dead_letters = ["Dead letters"] if broker != "sqs" else []
    delay = ["Periodic task delay"] if jobs else []
    assert [panel["title"] for panel in panels[:row]] == ["Queue length", "Failures", *dead_letters, *delay]
    assert panels[row]["repeat"] == "queue"
    of_queue = ["Queue length", "Workers", "Queue latency", "Throughput", "Runtime"]
    assert [panel["title"] for panel in panels[row + 1 :]] == of_queue
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) == 23
    for panel in (panel for panel in panels if panel["type"] != "row"):
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
        (link,) = panel["links"]
        alert = link["url"].partition("docs/runbook.md#")[2]
        assert alert in {name.lower() for name in alerts(broker=broker, beat_jobs=jobs)}, panel["title"]


def test_on_redis_the_dashboard_shows_messages_in_each_state() -> None:
    queries = json.dumps(dashboard(broker="redis"))
    for metric in ("celery_queue_length", "celery_unacknowledged_messages", "celery_queue_scheduled_messages"):
        assert metric in queries
    assert "scheduled_messages" not in json.dumps(dashboard(broker="rabbitmq"))


def test_each_variable_in_a_query_is_defined() -> None:
    found = dashboard(beat_jobs="a = @daily")
    variables = {variable["name"] for variable in found["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(found))) - {"__all", "__rate_interval"}
    assert used == variables == {"datasource", "queue", "task"}


def test_the_dashboard_has_the_name_of_the_project() -> None:
    found = dashboard(project_name='The "best" \\ shop', project_slug="s" * 32)
    assert (found["title"], found["uid"]) == ('The "best" \\ shop', "s" * 32)


def test_success_is_green_and_outcomes_have_distinct_colors() -> None:
    (throughput,) = (panel for panel in dashboard()["panels"] if panel["title"] == "Throughput")
    rules = throughput["fieldConfig"]["overrides"]
    colors = {rule["matcher"]["options"]: rule["properties"][0]["value"]["fixedColor"] for rule in rules}
    assert colors["succeeded"] == "green"
    assert len(set(colors.values())) == len(colors)


def project_files(**answers: object) -> dict[str, str]:
    """Return the text of each enabled file by its path in the template."""
    features = plan_of(**answers).features
    enabled = (path for path in list_paths() if path.split("/")[0] != "_features" or features[path.split("/")[1]])
    return {path: render(path, **answers) for path in enabled}


@pytest.mark.parametrize("framework", ["none", "fastapi", "django"])
@pytest.mark.parametrize("broker", ["redis", "rabbitmq", "sqs"])
def test_without_monitoring_no_file_mentions_it(framework: str, broker: str) -> None:
    answers: dict[str, object] = {"framework": framework, "broker": broker, "beat_jobs": "a = @daily"}
    mention = re.compile("metrics|(?<!no )flower|grafana|prometheus|monitoring", re.IGNORECASE)  # SQS has "no Flower"
    files = project_files(**answers, kubernetes=True, monitoring=False)
    assert len(files) > 100
    assert not [path for path, text in files.items() if mention.search(f"{path}\n{text}")]
    assert not [each for each in plan_of(**answers, monitoring=False).dependencies if mention.search(each)]
    assert [path for path, text in project_files(**answers).items() if mention.search(text)]


def test_the_example_environment_contains_no_password() -> None:
    def passwords(**answers: object) -> list[str]:
        sample = render(".env.example", **answers)
        return re.findall(r"^(\w+_PASSWORD)=$", sample, re.MULTILINE)

    assert passwords() == ["REDIS_PASSWORD", "FLOWER_PASSWORD", "GRAFANA_PASSWORD"]
    assert passwords(broker="sqs", result_backend="none") == ["GRAFANA_PASSWORD"]
    assert passwords(broker="sqs", result_backend="none", monitoring=False) == []
    assert passwords(broker="rabbitmq", framework="django", result_backend="database", monitoring=False) == [
        *("RABBITMQ_PASSWORD", "POSTGRES_PASSWORD")
    ]
