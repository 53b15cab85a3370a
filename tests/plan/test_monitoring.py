"""The alert rules and the dashboard that follow from queues, jobs, broker and time limit."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from tests.support.answers import plan_of
from tests.support.render import paths, render

MONITORING = "_features/monitoring/deploy/monitoring"

BY_LABEL = "__auto"
"""A legend by which Grafana names each line by its label."""


def alert_groups(**answers: object) -> dict[str, list[dict[str, Any]]]:
    """Return the alert rules by the names of their groups."""
    groups = yaml.safe_load(render(f"{MONITORING}/rules.yaml", **answers))["groups"]
    return {group["name"]: group["rules"] for group in groups}


def alerts(**answers: object) -> set[tuple[str, str]]:
    """Return the names of the alerts, each with its queue or job."""
    rules = [rule for group in alert_groups(**answers).values() for rule in group]
    found = [(rule["alert"], rule["labels"].get("queue") or rule["labels"].get("job_name", "")) for rule in rules]
    assert len(set(found)) == len(found)
    return set(found)


def test_every_queue_and_every_job_has_its_alerts() -> None:
    answers = {"queues": "emails, reports:2@gevent", "beat_jobs": "tidy = @daily; poll = every 5m -> reports"}

    of_queues = (
        "QueueBacklog",
        "QueueWithoutConsumer",
        "TasksFail",
        "TasksNearTimeLimit",
        "TasksWait",
        "WorkerRestarts",
    )
    assert alerts(**answers) == {
        *((name, queue) for name in of_queues for queue in ("emails", "reports")),
        *((name, job) for name in ("JobFailed", "JobNotSent") for job in ("tidy", "poll")),
        *((name, "") for name in ("BeatSilent", "BrokerUnseen", "DeadLetters")),
    }
    assert list(alert_groups(**answers)) == ["broker", "beat", "queue emails", "queue reports"]


def test_without_jobs_there_are_no_alerts_on_beat() -> None:
    assert not {name for name, _ in alerts()} & {"BeatSilent", "JobNotSent", "JobFailed"}
    assert "beat" not in alert_groups()


def test_sqs_leaves_dead_letters_to_cloudwatch_and_has_no_flower() -> None:
    assert "DeadLetters" not in {name for name, _ in alerts(broker="sqs")}
    alarms = render("_features/sqs_metrics/deploy/aws/alarms.yaml", broker="sqs", queues="emails:1")
    assert "ApproximateNumberOfMessagesVisible" in alarms
    assert "${Prefix}emails-DLQ" in alarms
    assert not plan_of(broker="sqs").features["flower"]


@pytest.mark.parametrize(
    ("broker", "metric"), [("redis", "oldest_age"), ("rabbitmq", "task_wait"), ("sqs", "task_wait")]
)
def test_the_age_of_the_oldest_message_is_queried_where_it_is_known(broker: str, metric: str) -> None:
    group = alert_groups(broker=broker, queues="q")["queue q"]
    (expression,) = (rule["expr"] for rule in group if rule["alert"] == "TasksWait")
    assert f"celery_{'queue_' if metric == 'oldest_age' else ''}{metric}_seconds" in expression
    (graph,) = (graph for graph in graphs(broker=broker, queues="q") if graph["title"] == "How long they wait")
    assert any("oldest_age" in target["expr"] for target in graph["targets"]) == (broker == "redis")


@pytest.mark.parametrize(
    ("queue", "backlog"), [("a:8", 800), ("a:auto", 400), ("a:50@threads", 5000), ("a:100@gevent", 10000)]
)
def test_the_queue_length_of_the_alert_follows_from_the_concurrency(queue: str, backlog: int) -> None:
    group = alert_groups(queues=queue)["queue a"]
    (expression,) = (rule["expr"] for rule in group if rule["alert"] == "QueueBacklog")
    assert expression == f'max(celery_queue_length{{queue="a"}}) > {backlog}'


def test_flower_enables_no_events_in_greenlets_on_rabbitmq() -> None:
    assert plan_of(broker="rabbitmq", queues="a").flower_events
    assert plan_of(broker="redis", queues="a@gevent").flower_events
    assert not plan_of(broker="rabbitmq", queues="a, b@gevent").flower_events


def dashboard(**answers: object) -> dict[str, Any]:
    """Return the dashboard."""
    found: dict[str, Any] = json.loads(render(f"{MONITORING}/grafana/dashboards/queues.json", **answers))
    return found


def graphs(**answers: object) -> list[dict[str, Any]]:
    """Return the graphs of the dashboard, without the heads of its rows."""
    return [panel for panel in dashboard(**answers)["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("broker", ["redis", "rabbitmq", "sqs"])
@pytest.mark.parametrize("jobs", ["", "a = @daily"])
def test_the_panels_are_numbered_and_fill_their_lines_without_overlaps(broker: str, jobs: str) -> None:
    found = dashboard(broker=broker, beat_jobs=jobs, queues="a, b, c")
    panels = found["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert set(taken) == {(x, y) for x in range(24) for y in range(8 + 3 * 9)}
    titles = {panel["title"] for panel in panels}
    assert ("Dead letters" in titles) == (broker != "sqs")
    assert ("How late beat's jobs are" in titles) == bool(jobs)
    assert [panel["title"] for panel in panels if panel["type"] == "row"] == ["Queue a", "Queue b", "Queue c"]


def test_the_dashboard_has_the_name_of_the_project() -> None:
    found = dashboard(project_name='The "best" \\ shop', project_slug="s" * 32)
    assert (found["title"], found["uid"]) == ('The "best" \\ shop', "s" * 32)


def test_the_time_limit_is_a_threshold_and_no_line_that_flattens_short_runtimes() -> None:
    (runs,) = (graph for graph in graphs(queues="q", task_time_limit="600") if graph["title"] == "How long they run")
    assert not [target for target in runs["targets"] if "600" in target["expr"]]
    defaults = runs["fieldConfig"]["defaults"]
    assert defaults["thresholds"]["steps"][-1] == {"color": "red", "value": 600}
    assert defaults["custom"]["thresholdsStyle"] == {"mode": "line"}


def test_success_is_green_and_no_outcome_looks_like_another() -> None:
    (done,) = (graph for graph in graphs(queues="q") if graph["title"] == "Done a minute")
    rules = done["fieldConfig"]["overrides"]
    colors = {rule["matcher"]["options"]: rule["properties"][0]["value"]["fixedColor"] for rule in rules}
    assert colors["succeeded"] == "green"
    assert len(set(colors.values())) == len(colors)


def test_an_override_names_a_line_of_its_graph() -> None:
    for graph in graphs(beat_jobs="a = @daily"):
        names = {rule["matcher"]["options"] for rule in graph["fieldConfig"]["overrides"]}
        legends = {target["legendFormat"] for target in graph["targets"]}
        assert names <= legends or legends == {BY_LABEL}, graph["title"]


def project_files(**answers: object) -> dict[str, str]:
    """Return the text of every file that these answers enable, by its path in the template."""
    features = plan_of(**answers).features
    enabled = (path for path in paths() if path.split("/")[0] != "_features" or features[path.split("/")[1]])
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


def test_no_password_is_in_the_example_of_the_environment() -> None:
    def passwords(**answers: object) -> list[str]:
        sample = render(".env.example", **answers)
        return re.findall(r"^(\w+_PASSWORD)=$", sample, re.MULTILINE)

    assert passwords() == ["REDIS_PASSWORD", "FLOWER_PASSWORD", "GRAFANA_PASSWORD"]
    assert passwords(broker="sqs", result_backend="none") == ["GRAFANA_PASSWORD"]
    assert passwords(broker="sqs", result_backend="none", monitoring=False) == []
    assert passwords(broker="rabbitmq", framework="django", result_backend="database", monitoring=False) == [
        *("RABBITMQ_PASSWORD", "POSTGRES_PASSWORD")
    ]
