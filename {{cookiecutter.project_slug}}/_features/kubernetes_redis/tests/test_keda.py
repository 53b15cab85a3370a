"""KEDA looks where Celery keeps its queues."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from {{ cookiecutter.project_slug }}.celery_app import app

from .test_kubernetes import WORKERS, command_of, specs, variables

SCALED = specs("ScaledObject")


@pytest.mark.parametrize("spec", SCALED.values(), ids=SCALED)
def test_a_worker_is_scaled_by_the_list_of_its_queue(spec: dict[str, Any]) -> None:
    command = command_of(WORKERS[spec["scaleTargetRef"]["name"]])
    prefix = app.conf.broker_transport_options.get("global_keyprefix", "")
    (trigger,) = spec["triggers"]
    assert trigger["type"] == "redis"
    assert trigger["metadata"]["listName"] == prefix + command[command.index("-Q") + 1]
    database = urlsplit(variables("secrets.env.example")["CELERY_BROKER_URL"]).path
    assert trigger["metadata"]["databaseIndex"] == database.removeprefix("/")


def test_keda_gets_what_its_secret_has() -> None:
    authentication = specs("TriggerAuthentication")["broker"]
    used = authentication["secretTargetRef"]
    assert {each["key"] for each in used} == variables("keda/keda.env.example").keys()
    assert {each["name"] for each in used} == {"keda"}
