"""Names, sizes and settings in the manifests of Kubernetes."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from local_extensions.names import LONGEST_NAME, queue_problem
from tests.support.answers import plan_of
from tests.support.render import render, render_queue_files

KUBERNETES = "_features/kubernetes/deploy/kubernetes"

NAME = re.compile(r"worker-[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@given(
    st.from_regex(rf"[a-z]([a-z0-9_-]{{0,{LONGEST_NAME - 2}}}[a-z0-9])?", fullmatch=True).filter(
        lambda name: not queue_problem(name)
    )
)
@example("q" * LONGEST_NAME)
@example(f"{'q' * 33}_{'q' * 10}")
def test_a_queue_has_a_name_that_kubernetes_and_keda_take(queue: str) -> None:
    ((dns_name, manifest),) = render_queue_files(f"{KUBERNETES}/keda/worker-{{queue}}.yaml", queues=queue).items()
    (name,) = re.findall(r"scaleTargetRef: \{name: (.*)\}", manifest)
    assert name == f"worker-{dns_name}"
    assert NAME.fullmatch(name)
    assert len(f"keda-hpa-{name}") <= 63


def test_long_names_that_begin_alike_stay_two() -> None:
    first, second = plan_of(queues=f"{'q' * 50}:1, {'q' * 51}:1").queues
    assert first.dns_name != second.dns_name


@pytest.mark.parametrize(
    ("queue", "cpus", "memory", "host_memory", "backlog"),
    [
        ("a:8", 1, 768, 768, 80),
        ("a:auto", 4, 512, 1280, 40),
        ("a:50@threads", 1, 512, 512, 500),
        ("a:100@gevent", 1, 512, 512, 1000),
    ],
)
def test_a_worker_gets_what_its_concurrency_needs(
    queue: str, cpus: int, memory: int, host_memory: int, backlog: int
) -> None:
    (worker,) = plan_of(queues=queue).queues
    assert (worker.cpus, worker.memory, worker.host_memory, worker.backlog) == (cpus, memory, host_memory, backlog)


def variables(path: str, **answers: object) -> dict[str, str]:
    """Return the variables that a file sets; every line sets one or is a comment."""
    lines = render(f"{KUBERNETES}/{path}", **answers).splitlines()
    pairs = [line.split("=", maxsplit=1) for line in lines if not line.startswith("#")]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def test_no_secret_is_in_the_config_and_none_has_a_value() -> None:
    answers: dict[str, object] = {"framework": "django", "broker": "rabbitmq", "kubernetes": True}
    config, secrets = variables("base/config.env", **answers), variables("secrets.env.example", **answers)
    assert config == {
        "ALLOWED_HOSTS": "www.example.com",
        "CSRF_TRUSTED_ORIGINS": "",
        "SECURE_SSL_REDIRECT": "true",
        "SECURE_HSTS_SECONDS": "3600",
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": "false",
        "SECURE_HSTS_PRELOAD": "false",
        "API_DOCS": "false",
        "METRICS_ADDRESS": "0.0.0.0:9700",
        "CELERY_PUBLISH_TIMEOUT": "60",
        "SENTRY_ENVIRONMENT": "production",
        "LOG_LEVEL": "INFO",
        "LOG_FORMAT": "json",
        "HEARTBEAT_FILE": "/tmp/heartbeat",  # noqa: S108
    }
    assert secrets == {
        "CELERY_BROKER_URL": "amqp://background_jobs:CHANGE_ME@rabbitmq:5672//",
        "CELERY_RESULT_BACKEND": "redis://:CHANGE_ME@redis:6379/1",
        "DATABASE_URL": "postgresql://background_jobs:CHANGE_ME@postgres:5432/background_jobs",
        "SECRET_KEY": "",
        "API_KEYS": "",
        "SENTRY_DSN": "",
        "ALERT_WEBHOOK_URL": "",
    }


@pytest.mark.parametrize("framework", ["none", "fastapi", "django"])
@pytest.mark.parametrize(
    ("broker", "results"), [("redis", "redis"), ("rabbitmq", "database"), ("sqs", "none"), ("sqs", "database")]
)
def test_config_and_secrets_have_each_variable_of_the_environment_once(
    framework: str, broker: str, results: str
) -> None:
    answers: dict[str, object] = {"framework": framework, "broker": broker, "result_backend": results}
    answers |= {"beat_jobs": "a = @daily", "beat_scheduler": "redbeat"}
    folder = "django" if framework == "django" else "celeryconfig"
    module = render(f"_features/{folder}/src/<slug>/{plan_of(**answers).framework.environment}", **answers)
    (fields,) = re.findall(r"^class Environment.*?^def ", module, re.DOTALL | re.MULTILINE)
    names = [name.upper() for name in re.findall(r"^    (\w+): ", fields, re.MULTILINE)]
    assert "CELERY_BROKER_URL" in names
    config, secrets = variables("base/config.env", **answers), variables("secrets.env.example", **answers)
    assert sorted([*config, *secrets]) == sorted(names)
    sample = re.findall(r"^(\w+)=", render(".env.example", **answers), re.MULTILINE)
    assert sorted(name for name in sample if not name.endswith("_PASSWORD")) == sorted(names)


def overlay(name: str, **answers: object) -> dict[str, Any]:
    """Return the kustomization of an overlay."""
    found: dict[str, Any] = yaml.safe_load(render(f"{KUBERNETES}/overlays/{name}/kustomization.yaml", **answers))
    return found


@pytest.mark.parametrize(("framework", "served"), [("none", []), ("fastapi", ["api"]), ("django", ["web"])])
def test_an_overlay_counts_the_replicas_of_what_serves_http_and_staging_those_of_workers(
    framework: str, served: list[str]
) -> None:
    answers: dict[str, object] = {"framework": framework, "queues": "a:1, b_c:1"}
    production = overlay("production", **answers)
    # KEDA counts the workers.
    assert production.get("replicas") == ([{"name": name, "count": 2} for name in served] or None)
    assert production["components"] == ["../../keda"]
    staging = overlay("staging", **answers)
    assert staging["replicas"] == [{"name": name, "count": 1} for name in (*served, "worker-a", "worker-b-c")]
    assert "components" not in staging
