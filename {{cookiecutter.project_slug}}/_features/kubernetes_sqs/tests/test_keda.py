"""KEDA looks where Celery keeps its queues."""

from typing import Any

import pytest

from {{ cookiecutter.project_slug }}.sqs import predefined_queues

from .test_kubernetes import WORKERS, command_of, specs, variables

SCALED = specs("ScaledObject")


@pytest.mark.parametrize("spec", SCALED.values(), ids=SCALED)
def test_a_worker_is_scaled_by_its_queue(spec: dict[str, Any]) -> None:
    worker = WORKERS[spec["scaleTargetRef"]["name"]]
    command = command_of(worker)
    (trigger,) = spec["triggers"]
    assert trigger["type"] == "aws-sqs-queue"
    own = {each["name"]: each["value"] for each in worker["template"]["spec"]["containers"][0]["env"]}
    prefix = variables("base/config.env")["SQS_QUEUE_URL_PREFIX"]
    url = own[trigger["metadata"]["queueURLFromEnv"]].replace("$(SQS_QUEUE_URL_PREFIX)", prefix)
    assert url == predefined_queues(prefix)[command[command.index("-Q") + 1]]["url"]


def test_keda_gets_what_its_secret_has() -> None:
    authentication = specs("TriggerAuthentication")["broker"]
    used = authentication["secretTargetRef"]
    assert {each["key"] for each in used} == variables("keda/keda.env.example").keys()
    assert {each["name"] for each in authentication["env"]} <= variables("base/config.env").keys()
