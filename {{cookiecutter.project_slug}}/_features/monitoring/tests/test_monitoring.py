"""The metrics of workers and the exporter, the alerts, the dashboard, and the targets of Prometheus."""

import json
import re
import socket
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from celery import shared_task
from celery.exceptions import Reject
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from {{ cookiecutter.project_slug }} import exporter, metrics
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.settings import parse_listen_address
{% if plan().features.task_tracking %}
from {{ cookiecutter.project_slug }}.stoppable_task import TaskCancelled
{% endif %}

ROOT = Path(__file__).parent.parent
MONITORING = ROOT / "deploy" / "monitoring"
MODULES = [
    "metrics",
    "exporter",
    "broker_metrics",
{% if plan().features.beat %}
    "beat_metrics",
{% endif %}
{% if plan().features.control %}
    "control.watcher",
{% endif %}
{% if plan().features.outbox %}
    "outbox_metrics",
{% endif %}
]
ONLY_ON_REDIS = "celery_queue_oldest_message_age_seconds"
PING = "{{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }}.ping"
QUEUE = "{{ plan().default_queue.name }}"


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file."""
    return yaml.safe_load(path.read_text())


def read_rules() -> list[dict[str, Any]]:
    """Return the alert rules."""
    return [rule for group in read_yaml(MONITORING / "rules.yaml")["groups"] for rule in group["rules"]]


def read_value(name: str, **labels: str) -> float:
    """Return the value of a metric, or 0 if it is not exported with these labels."""
    return REGISTRY.get_sample_value(name, labels) or 0


def test_alerts_and_dashboard_use_exported_metrics() -> None:
    modules = [vars(import_module(f"{{ cookiecutter.project_slug }}.{name}")) for name in MODULES]
    exported = [item for module in modules for item in module.values() if isinstance(item, MetricWrapperBase)]
    panels = json.loads((MONITORING / "grafana" / "dashboards" / "queues.json").read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    used = set(re.findall(r"\bcelery_\w+", " ".join(queries + [rule["expr"] for rule in read_rules()])))
    assert len(used) > 10
    assert {re.sub(r"_(total|bucket)$", "", name) for name in used} <= {
        ONLY_ON_REDIS,
        *(family.name for metric in exported for family in metric.describe()),
    }


def test_each_alert_has_a_runbook_entry_and_a_test() -> None:
    alerts = [rule["alert"] for rule in read_rules()]
    assert re.findall(r"^## (\w+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE) == alerts
    assert set(re.findall(r'alertname="(\w+)"', (MONITORING / "rules_test.yaml").read_text())) == set(alerts)
    for rule in read_rules():
        assert rule["annotations"]["runbook_url"].endswith(f"docs/runbook.md#{rule['alert'].lower()}")


def test_prometheus_scrapes_each_service_of_compose() -> None:
    services = read_yaml(ROOT / "compose.yaml")["services"]
    (scrape_config,) = read_yaml(MONITORING / "prometheus.yaml")["scrape_configs"]
    (discovery,) = scrape_config["dns_sd_configs"]
    processes = re.compile(r" worker | beat\b|\.exporter$|^(uvicorn|gunicorn) ")
    expected = {name for name, service in services.items() if processes.search(str(service.get("command")))}
    different = ", ".join(sorted(expected ^ set(discovery["names"])))
    assert not different, f"deploy/monitoring/prometheus.yaml: add to `names`, or remove: {different}"
    for name in expected:
        assert services[name]["environment"]["METRICS_ADDRESS"] == f":{discovery['port']}"


def test_an_address_without_a_host_listens_on_all_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [address for address in ("127.0.0.1", "::1") if is_available(address)]
    with socket.create_server((addresses[0], 0), family=get_family(addresses[0])) as unused:
        port: int = unused.getsockname()[1]
    metrics.serve(f":{port}")
    for address in addresses:
        socket.create_connection((address, port), timeout=5).close()
    monkeypatch.setattr("socket.has_dualstack_ipv6", lambda: False)  # as on a kernel without IPv6
    assert parse_listen_address(":9700") == ("0.0.0.0", 9700)  # noqa: S104


def get_family(address: str) -> socket.AddressFamily:
    """Return the address family of an IP address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def is_available(address: str) -> bool:
    """Return whether this host has a loopback address. Some hosts have only IPv4, others only IPv6."""
    try:
        socket.create_server((address, 0), family=get_family(address)).close()
    except OSError:
        return False
    return True


def test_each_systemd_service_is_a_target_with_a_separate_port() -> None:
    targets = {each["labels"]["service"]: each["targets"] for each in read_yaml(MONITORING / "targets.yaml")}
    addresses = {}
    for unit in (ROOT / "deploy" / "systemd").glob("*.service"):
        for address in re.findall(r"^Environment=METRICS_ADDRESS=(.+)$", unit.read_text(), re.MULTILINE):
            service = re.sub(r"^\w+?-(worker-)?|@?\.service$", "", unit.name)
            addresses[service] = [address.replace("%i", "1")]
    assert len({str(address) for address in addresses.values()}) == len(addresses), (
        "deploy/systemd: two units have the same port in METRICS_ADDRESS"
    )
    different = {
        name: addresses.get(name) for name in targets.keys() | addresses if targets.get(name) != addresses.get(name)
    }
    assert not different, f"deploy/monitoring/targets.yaml: set the targets of these services: {different}"


def test_monitoring_is_optional_and_bound_to_loopback() -> None:
    services = read_yaml(ROOT / "compose.yaml")["services"]
    optional = {name: service for name, service in services.items() if service.get("profiles") == ["monitoring"]}
    assert {"exporter", "prometheus", "grafana"} <= set(optional)
    for name, service in optional.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert {"mem_limit", "cpus", "healthcheck", "logging"} <= set(service), name


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait at most 10 seconds for a condition: a worker counts a task after its result is stored."""
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.integration
@pytest.mark.usefixtures("worker")
def test_a_worker_records_outcome_runtime_and_latency(wait_for_task: Any) -> None:
    def read_counts() -> tuple[float, ...]:
        return (
            read_value("celery_tasks_total", queue=QUEUE, task=PING, outcome="succeeded"),
            read_value("celery_task_runtime_seconds_count", queue=QUEUE, task=PING),
            read_value("celery_queue_latency_seconds_count", queue=QUEUE),
        )

    before = read_counts()
    assert wait_for_task(app.tasks[PING].delay().id) == "SUCCESS"
    wait_until(lambda: read_counts() != before)
    assert read_counts() == tuple(count + 1 for count in before)


@shared_task
def rejected() -> None:
    """Reject the message."""
    raise Reject("no such order")


@pytest.mark.integration
def test_a_rejected_task_counts_as_failed(wait_for_task: Any) -> None:
    def read_count() -> float:
        return read_value("celery_tasks_total", queue=QUEUE, task=rejected.name, outcome="failed")

    wait_for_task(rejected.delay().id)
    wait_until(lambda: read_count() > 0)
    assert read_count() == 1


{% if plan().features.task_tracking %}
@shared_task
def cancelled() -> None:
    """Stop as a cancelled task does."""
    raise TaskCancelled


@pytest.mark.integration
def test_a_cancelled_task_counts_as_revoked(wait_for_task: Any) -> None:
    def read_count() -> float:
        return read_value("celery_tasks_total", queue=QUEUE, task=cancelled.name, outcome="revoked")

    wait_for_task(cancelled.delay().id)
    wait_until(lambda: read_count() > 0)
    assert read_count() == 1


{% endif %}
def test_queue_lengths_are_exported_only_while_the_broker_is_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "get_queue_length", lambda connection, queue: 7)
    exporter.update()
    assert (read_value("celery_broker_up"), read_value("celery_queue_length", queue=QUEUE)) == (1, 7)

    def refuse(connection: Any, queue: str) -> int:
        raise ConnectionError("refused")

    monkeypatch.setattr(exporter, "get_queue_length", refuse)
    exporter.update()
    assert REGISTRY.get_sample_value("celery_broker_up") == 0
    assert REGISTRY.get_sample_value("celery_queue_length", {"queue": QUEUE}) is None
{% if plan().features.flower %}


def test_the_task_limit_of_flower_fits_its_memory_limit() -> None:
    (tasks,) = re.findall(r"--max-tasks=(\d+)", (ROOT / "compose.yaml").read_text())
    assert int(tasks) <= 10_000
{% endif %}
