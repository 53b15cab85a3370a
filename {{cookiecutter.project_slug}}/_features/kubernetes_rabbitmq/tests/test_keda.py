"""KEDA looks where Celery keeps its queues."""

from typing import Any

import pytest

from .test_kubernetes import WORKERS, command_of, specs, variables

SCALED = specs("ScaledObject")


@pytest.mark.parametrize("spec", SCALED.values(), ids=SCALED)
def test_a_worker_is_scaled_by_its_queue(spec: dict[str, Any]) -> None:
    command = command_of(WORKERS[spec["scaleTargetRef"]["name"]])
    (trigger,) = spec["triggers"]
    assert trigger["type"] == "rabbitmq"
    assert trigger["metadata"]["queueName"] == command[command.index("-Q") + 1]


def test_keda_gets_the_workers_url() -> None:
    authentication = specs("TriggerAuthentication")["broker"]
    (used,) = authentication["secretTargetRef"]
    assert used["key"] in variables("secrets.env.example")
