"""What deploys the project agrees with its code: queues, times and variables."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.settings import Environment
from {{ cookiecutter.project_slug }}.signals import WARM_SHUTDOWN

ROOT = Path(__file__).parent.parent
SYSTEMD = ROOT / "deploy" / "systemd"


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """The services of compose.yaml that run a worker, by their names."""
    services: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return {name: service for name, service in services.items() if " worker " in str(service.get("command"))}


def test_every_queue_has_one_worker_in_compose(services: dict[str, dict[str, Any]]) -> None:
    consumed = [re.findall(r" -Q (\S+)", service["command"]) for service in services.values()]
    assert sorted(consumed) == sorted([queue.value] for queue in QueueName)


def test_every_queue_has_one_worker_in_systemd() -> None:
    assert {file.stem for file in SYSTEMD.glob("worker-*.env")} == {f"worker-{queue}" for queue in QueueName}


def test_supervisors_wait_until_a_stopping_worker_has_requeued_its_tasks(services: dict[str, dict[str, Any]]) -> None:
    unit = (SYSTEMD / "{{ cookiecutter.project_slug }}-worker@.service").read_text()
    graces = [int(service["stop_grace_period"].removesuffix("s")) for service in services.values()]
    graces += [int(seconds) for seconds in re.findall(r"^TimeoutStopSec=(\d+)$", unit, flags=re.MULTILINE)]
    assert len(graces) == len(services) + 1
    assert min(graces) >= WARM_SHUTDOWN + 10


def test_every_service_has_a_memory_limit_and_its_logs_are_rotated() -> None:
    everything: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    for name, service in everything.items():
        assert service["mem_limit"], name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name


def test_tasks_have_limits() -> None:
    assert 0 < app.conf.task_soft_time_limit < app.conf.task_time_limit


def test_the_example_environment_names_exactly_the_variables_that_are_read() -> None:
    names = re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)
    own = [name for name in names if not name.endswith("_PASSWORD")]  # those are Compose's
    assert sorted(own) == sorted(name.upper() for name in Environment.model_fields)
