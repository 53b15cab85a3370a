"""The labels of the HTTP metrics, and their endpoint."""

import socket
import subprocess
import sys
import time
{% if plan().features.django %}
from pathlib import Path
{% endif %}

import pytest

from {{ cookiecutter.project_slug }} import http_metrics
from {{ cookiecutter.project_slug }}.request_log import log_request

from .conftest import ENVIRONMENT

PROGRAM = """
from urllib.request import urlopen
from {{ cookiecutter.project_slug }} import http_metrics
http_metrics.observe("GET", "/queues", 200, 0.1)
http_metrics.serve()
print(urlopen(f"http://{http_metrics.env.metrics_address}/metrics").read().decode())
"""


def read_count(**labels: str) -> float:
    """Return the number of requests with these labels."""
    return http_metrics.REGISTRY.get_sample_value("http_request_duration_seconds_count", labels) or 0


@pytest.mark.parametrize(
    ("method", "route", "labels"),
    [
        ("GET", "/tasks/{task_id}", {"method": "GET", "route": "/tasks/{task_id}"}),
        ("BREW", "", {"method": "other", "route": "unmatched"}),
    ],
)
def test_a_request_is_recorded(method: str, route: str, labels: dict[str, str]) -> None:
    before = read_count(status="200", **labels)
    log_request(method, "/tasks/1", route, 200, time.monotonic())
    assert read_count(status="200", **labels) == before + 1


def serve_and_read(**variables: str) -> str:
    """Run a process that records one request, and return the metrics that it serves."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = ENVIRONMENT | variables | {"METRICS_ADDRESS": f"127.0.0.1:{port}"}
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout


COUNT = 'http_request_duration_seconds_count{method="GET",route="/queues",status="200"}'


{% if plan().features.django %}
def test_one_process_serves_the_metrics_of_all_processes(tmp_path: Path) -> None:
    for requests in (1, 2):
        metrics = serve_and_read(PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
        assert f"{COUNT} {requests}.0" in metrics
    assert "celery_" not in metrics
{% elif plan().features.fastapi %}
def test_the_metrics_are_served() -> None:
    assert f"{COUNT} 1.0" in serve_and_read()
{% endif %}
