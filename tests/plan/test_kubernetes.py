"""What Kubernetes' manifests are made of."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_extensions.names import LONGEST_NAME
from tests.support.answers import plan_of

NAME = re.compile(r"worker-[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@given(st.from_regex(rf"[a-z][a-z0-9_-]{{0,{LONGEST_NAME - 2}}}[a-z0-9]", fullmatch=True))
def test_a_queue_has_a_name_that_kubernetes_and_keda_take(queue: str) -> None:
    if not re.match(r"celery|dead_letters|\w*(--|__)", queue):
        (name,) = (
            each.dns_name for each in plan_of(queues=f"a_{queue}"[:LONGEST_NAME].rstrip("_-"), beat_jobs="").queues
        )
        assert NAME.fullmatch(name)
        assert len(f"keda-hpa-{name}") <= 63


def test_long_names_that_begin_alike_stay_two() -> None:
    first, second = plan_of(queues=f"{'q' * 50}:1, {'q' * 51}:1", beat_jobs="").queues
    assert first.dns_name != second.dns_name


@pytest.mark.parametrize(
    ("queue", "cpus", "memory", "backlog"),
    [("a:8", 1, 768, 80), ("a:auto", 4, 512, 40), ("a:50@threads", 1, 512, 500), ("a:100@gevent", 1, 512, 1000)],
)
def test_a_worker_gets_what_its_places_need(queue: str, cpus: int, memory: int, backlog: int) -> None:
    (worker,) = plan_of(queues=queue, beat_jobs="").queues
    assert (worker.cpus, worker.memory, worker.backlog) == (cpus, memory, backlog)


def test_no_secret_is_in_the_config_and_none_has_a_value() -> None:
    plan = plan_of(framework="django", broker="rabbitmq", kubernetes=True)
    assert plan.config_samples == (
        "ALLOWED_HOSTS=www.example.com\nCSRF_TRUSTED_ORIGINS=\nMETRICS_ADDRESS=0.0.0.0:9700\n"
    )
    lines = [line for sample in plan.secret_samples for line in sample.splitlines() if line[0] != "#"]
    assert lines == [
        "CELERY_BROKER_URL=amqp://background_jobs:CHANGE_ME@rabbitmq:5672//",
        "CELERY_RESULT_BACKEND=redis://:CHANGE_ME@redis:6379/1",
        "DATABASE_URL=postgresql://background_jobs:CHANGE_ME@postgres:5432/background_jobs",
        "SECRET_KEY=",
    ]


def test_an_overlay_counts_what_it_is_asked_to() -> None:
    plan = plan_of(framework="django", queues="a:1, b_c:1", beat_jobs="")
    assert plan.replicas(web=2) == "replicas:\n  - {name: web, count: 2}\n"
    assert plan.replicas(web=1, workers=3).endswith("{name: worker-a, count: 3}\n  - {name: worker-b-c, count: 3}\n")
    assert plan_of(queues="a:1", beat_jobs="").replicas(web=2) == ""
