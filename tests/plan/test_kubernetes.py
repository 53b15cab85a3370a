"""Names, resources and settings in the Kubernetes manifests."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from local_extensions.names import MAX_NAME_LENGTH, find_queue_name_problem
from tests.support.answers import plan_of
from tests.support.render import render, render_queue_files

KUBERNETES = "_features/kubernetes/deploy/kubernetes"

NAME = re.compile(r"worker-[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@given(
    st.from_regex(rf"[a-z]([a-z0-9_-]{{0,{MAX_NAME_LENGTH - 2}}}[a-z0-9])?", fullmatch=True).filter(
        lambda name: not find_queue_name_problem(name)
    )
)
@example("q" * MAX_NAME_LENGTH)
@example(f"{'q' * 33}_{'q' * 10}")
def test_the_dns_name_of_a_queue_is_valid_for_kubernetes_and_keda(queue: str) -> None:
    path = f"{KUBERNETES}/workers/{{queue}}/kustomization.yaml"
    ((dns_name, worker),) = render_queue_files(path, queues=queue).items()
    name = f"worker{yaml.safe_load(worker)['nameSuffix']}"
    assert name == f"worker-{dns_name}"
    assert NAME.fullmatch(name)
    assert len(f"keda-hpa-{name}") <= 63


def test_long_names_with_the_same_prefix_stay_distinct() -> None:
    first, second = plan_of(queues=f"{'q' * 50}:1, {'q' * 51}:1").queues
    assert first.dns_name != second.dns_name


@pytest.mark.parametrize(
    ("queue", "cpus", "memory", "host_memory", "backlog"),
    [
        ("a:8", 1, 1664, 1664, 80),
        ("a:auto", 4, 896, 3200, 40),
        ("a:50@threads", 1, 512, 512, 500),
        ("a:100@gevent", 1, 512, 512, 1000),
    ],
)
def test_resources_depend_on_the_concurrency(
    queue: str, cpus: int, memory: int, host_memory: int, backlog: int
) -> None:
    (worker,) = plan_of(queues=queue).queues
    assert (worker.cpus, worker.memory, worker.host_memory, worker.backlog) == (cpus, memory, host_memory, backlog)


def variables(path: str, **answers: object) -> dict[str, str]:
    """Return the variables that a file sets. Each line sets a variable or is a comment."""
    lines = render(f"{KUBERNETES}/{path}", **answers).splitlines()
    pairs = [line.split("=", maxsplit=1) for line in lines if not line.startswith("#")]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def test_the_config_contains_no_secret_and_secrets_have_no_value() -> None:
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
        "METRICS_ADDRESS": ":9700",
        "CELERY_PUBLISH_TIMEOUT": "60",
        "DEAD_LETTERS_MAX_COUNT": "10000",
        "DEAD_LETTERS_MAX_AGE_DAYS": "30",
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
def test_each_environment_variable_is_once_in_config_or_secrets(framework: str, broker: str, results: str) -> None:
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


@pytest.mark.parametrize("framework", ["none", "fastapi", "django"])
def test_production_runs_two_replicas_of_the_http_service(framework: str) -> None:
    served = {"none": None, "fastapi": [{"name": "api", "count": 2}], "django": [{"name": "web", "count": 2}]}
    assert overlay("production", framework=framework).get("replicas") == served[framework]
    assert "replicas" not in overlay("staging", framework=framework)


@pytest.mark.parametrize("monitoring", [True, False])
def test_only_production_requires_keda_and_the_prometheus_operator(monitoring: bool) -> None:
    production, staging = (overlay(name, monitoring=monitoring) for name in ("production", "staging"))
    assert production.get("components") == (["../../monitoring"] if monitoring else None)
    assert staging["components"] == ["../../without-keda"]


@pytest.mark.parametrize("broker", ["redis", "rabbitmq", "sqs"])
def test_a_queue_adds_at_most_twenty_lines(broker: str) -> None:
    workers = render_queue_files(f"{KUBERNETES}/workers/{{queue}}/kustomization.yaml", broker=broker, queues="a:auto")
    (lines,) = (len(text.splitlines()) for text in workers.values())
    assert 10 < lines <= 20
    base = [render(f"{KUBERNETES}/base/kustomization.yaml", broker=broker, queues=queues) for queues in ("a", "a, b")]
    assert len(base[1].splitlines()) - len(base[0].splitlines()) == 1
