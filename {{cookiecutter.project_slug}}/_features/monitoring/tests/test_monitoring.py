"""What watches the project agrees with it: queues, jobs, names of metrics, ports, and an entry in the runbook for each alert."""

import json
import re
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from {{ cookiecutter.project_slug }} import exporter, metrics
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName

ROOT = Path(__file__).parent.parent
MONITORING = ROOT / "deploy" / "monitoring"
OF_A_QUEUE = {
    "QueueBacklog",
    "QueueWithoutConsumer",
    "TasksFail",
    "TasksNearTimeLimit",
    "TasksWait",
    "WorkerRestarts",
}
PING = "{{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }}.ping"
QUEUE = "{{ plan().default_queue.name }}"


@cache
def read(path: Path) -> Any:
    """What a YAML file holds, by the loader in C: there may be thousands of rules."""
    return yaml.load(path.read_text(), yaml.CSafeLoader)


def rules() -> list[dict[str, Any]]:
    """The rules of all groups."""
    return [rule for group in read(MONITORING / "rules.yaml")["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    """Grafana's dashboard."""
    found: dict[str, Any] = json.loads((MONITORING / "grafana" / "dashboards" / "queues.json").read_text())
    return found


def expressions() -> list[str]:
    """Everything that Prometheus is asked."""
    targets = [target for panel in dashboard()["panels"] for target in panel.get("targets", [])]
    return [rule["expr"] for rule in rules()] + [target["expr"] for target in targets]


def value(name: str, **labels: str) -> float:
    """What a metric says now; 0 if there is none with these labels."""
    return REGISTRY.get_sample_value(name, labels) or 0


def test_every_queue_has_its_rules_and_its_row() -> None:
    found = {(rule["alert"], rule["labels"]["queue"]) for rule in rules() if "queue" in rule["labels"]}
    assert found == {(alert, queue.value) for alert in OF_A_QUEUE for queue in QueueName}
    rows = [panel["title"] for panel in dashboard()["panels"] if panel["type"] == "row"]
    assert rows == [f"Queue {queue}" for queue in QueueName]


def test_every_job_has_its_rules() -> None:
    jobs = app.conf.beat_schedule
    of_jobs = [rule for rule in rules() if "job_name" in rule["labels"]]
    for alert, texts in (("JobNotSent", list(jobs)), ("JobFailed", [job["task"] for job in jobs.values()])):
        found = [rule["expr"] for rule in of_jobs if rule["alert"] == alert]
        assert len(found) == len(jobs)
        for text in texts:
            assert any(json.dumps(text, ensure_ascii=False) in expression for expression in found), text
    assert any(rule["alert"] == "BeatSilent" for rule in rules()) == bool(jobs)


def test_every_alert_has_an_entry_in_the_runbook_and_a_test() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    entries = re.findall(r"^## (\w+)$", runbook, flags=re.MULTILINE)
    assert sorted(entries) == sorted({rule["alert"] for rule in rules()})
    for rule in rules():
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
    tests = read(MONITORING / "rules_test.yaml")["tests"]
    fired = [
        (test["alertname"], alert["exp_labels"])
        for case in tests
        for test in case["alert_rule_test"]
        for alert in test["exp_alerts"]
    ]
    assert all((rule["alert"], rule["labels"]) in fired for rule in rules())


def test_rules_and_dashboard_ask_for_metrics_that_exist() -> None:
    exported = {family.name for family in REGISTRY.collect()}
    suffixes = re.compile(r"_(total|bucket|count|sum)$")
    asked = {name for text in expressions() for name in re.findall(r"\bcelery_\w+", re.sub(r'"[^"]*"', "", text))}
    assert len(asked) > 5
    assert {suffixes.sub("", name) for name in asked} <= exported


def test_the_steps_of_histograms_that_rules_ask_for_exist() -> None:
    for name, histogram in (("runtime", metrics.RUNTIME), ("wait", metrics.WAIT)):
        text = "\n".join(rule["expr"] for rule in rules())
        asked = re.findall(rf'celery_task_{name}_seconds_bucket.*?le="(.*?)"', text)
        assert set(asked) <= {str(float(bound)) for bound in histogram._kwargs["buckets"]}


def test_prometheus_asks_every_process_of_compose_at_the_port_that_it_serves() -> None:
    compose = read(ROOT / "compose.yaml")
    (job,) = read(MONITORING / "prometheus.yaml")["scrape_configs"]
    (asked,) = job["dns_sd_configs"]
    services = {
        name
        for name, service in compose["services"].items()
        if re.search(r" worker | beat\b|\.exporter$", str(service.get("command")))
    }
    assert set(asked["names"]) == services
    for name in services:
        assert compose["services"][name]["environment"]["METRICS_ADDRESS"] == f"0.0.0.0:{asked['port']}"


def test_prometheus_finds_every_process_of_systemd_at_a_port_of_its_own() -> None:
    targets = read(MONITORING / "targets.yaml")
    found = {target["labels"]["service"]: target["targets"] for target in targets}
    settings = {}
    for file in (ROOT / "deploy" / "systemd").glob("*.service"):
        for address in re.findall(r"^Environment=METRICS_ADDRESS=(.+)$", file.read_text(), flags=re.MULTILINE):
            service = re.sub(r"^\w+?-(worker-)?|@?\.service$", "", file.name)
            settings[service] = [address.replace("%i", "1")]
    assert found == settings
    assert len({str(address) for address in found.values()}) == len(found)


def test_what_watches_is_not_started_with_the_rest_and_not_open_to_others() -> None:
    compose = read(ROOT / "compose.yaml")
    watching = {name: each for name, each in compose["services"].items() if each.get("profiles") == ["monitoring"]}
    assert {"exporter", "prometheus", "grafana"} <= set(watching)
    for name, service in watching.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert {"mem_limit", "cpus", "healthcheck", "logging"} <= set(service), name


@pytest.mark.integration
@pytest.mark.usefixtures("worker")
def test_a_worker_counts_what_it_runs_and_how_long_it_had_waited(outcome: Any) -> None:
    def counts() -> tuple[float, ...]:
        return (
            value("celery_tasks_total", queue=QUEUE, task=PING, outcome="succeeded"),
            value("celery_task_runtime_seconds_count", queue=QUEUE, task=PING),
            value("celery_task_wait_seconds_count", queue=QUEUE),
        )

    before = counts()
    assert outcome(app.tasks[PING].delay().id) == "SUCCESS"
    until = time.monotonic() + 10
    while counts() == before and time.monotonic() < until:
        time.sleep(0.01)  # the worker counts after the task has told its end
    assert counts() == tuple(count + 1 for count in before)


def test_the_exporter_shows_a_backlog_and_nothing_when_the_broker_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "waiting", lambda connection, queue: 7)
    exporter.look()
    assert (value("celery_broker_up"), value("celery_queue_length", queue=QUEUE)) == (1, 7)

    def refuse(connection: Any, queue: str) -> int:
        raise ConnectionError("refused")

    monkeypatch.setattr(exporter, "waiting", refuse)
    exporter.look()
    assert REGISTRY.get_sample_value("celery_broker_up") == 0
    assert REGISTRY.get_sample_value("celery_queue_length", {"queue": QUEUE}) is None
