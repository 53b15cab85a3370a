"""The examples on real brokers, each in the situation that it handles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import count
from tests.live.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.bakery import Bakery
    from tests.support.brokers import RabbitMQ, Redis
    from tests.support.environments import Environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("patterns")]

EXAMPLES = "from patterns.examples"


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def service(
    request: pytest.FixtureRequest,
    bake: Bakery,
    install_project: Callable[..., Environment],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """Run a worker with four processes."""
    redis_server: Redis = request.getfixturevalue("redis_server")
    url = redis_server.new_database()
    if request.param == "rabbitmq":
        rabbitmq_server: RabbitMQ = request.getfixturevalue("rabbitmq_server")
        url = rabbitmq_server.new_vhost()
    variables = {
        "CELERY_BROKER_URL": url,
        "CELERY_RESULT_BACKEND": redis_server.new_database(),
        "LOG_FORMAT": "console",
    }
    project = bake(project_name="Patterns", broker=request.param, queues="default:4", beat_jobs="").copy_to(
        tmp_path_factory.mktemp("patterns")
    )
    with Service(project, install_project(project), variables) as running:
        running.start_worker("default")
        yield running


def find_lines(service: Service, *words: str) -> list[str]:
    """Return the lines of the worker's output that contain all of these words."""
    return [line for line in service.workers["default"].output.splitlines() if all(word in line for word in words)]


def test_a_task_delivered_twice_takes_effect_once(service: Service, request: pytest.FixtureRequest) -> None:
    count(request, "live")
    # Two messages with the same id for each of twenty orders, like a redelivery.
    service.run_python(
        f"{EXAMPLES}.idempotency import charge\n"
        "answer = [charge.apply_async((f'order-{n}', 5), task_id=f'id-{n}').id for n in range(20) for _ in range(2)]",
    )
    worker = service.workers["default"]
    for number in range(20):
        worker.wait_for_line(
            lambda line, end=f"order=order-{number} ": "already charged" in line and end in f"{line} ",  # type: ignore[misc]
            timeout=60,
        )

    assert len(find_lines(service, "order charged")) == 20


def test_a_periodic_task_does_not_overlap_itself(service: Service) -> None:
    service.run_python(f"{EXAMPLES}.unique import refresh\nanswer = [refresh.delay(3).id for _ in range(4)]")
    worker = service.workers["default"]
    worker.wait_for_line("refresh finished")

    assert len(find_lines(service, "refresh started")) == 1
    assert len(find_lines(service, "refresh already running")) == 3


def test_a_cancelled_task_stops(service: Service) -> None:
    state = service.run_python(
        f"import time\n{EXAMPLES}.progress import add_up, cancel\n"
        "sent = add_up.delay(list(range(50_000)))\n"
        "while sent.state != 'PROGRESS': time.sleep(0.1)\n"
        "cancel(sent.id)\n"
        "sent.get(timeout=30, propagate=False)\n"
        "answer = sent.state"
    )

    assert state == "REVOKED"


def test_a_payment_that_stays_pending_cancels_its_order(service: Service) -> None:
    service.run_python(
        f"{EXAMPLES}.payments import Order, accept_order, confirm_payment\n"
        "accept_order.delay(Order(id='paid-1', cents=5))\n"
        # The last retry, because the backoff is a minute.
        "answer = confirm_payment.apply_async(('pending-1',), retries=6).id"
    )
    worker = service.workers["default"]
    worker.wait_for_line(lambda line: "order cancelled" in line and "pending-1" in line)

    worker.wait_for_line(lambda line: "task failed" in line and "the payment of order pending-1 is pending" in line)
    assert not find_lines(service, "order cancelled", "paid-1")


def test_each_workflow_returns_its_result(service: Service) -> None:
    results = service.run_python(
        f"{EXAMPLES}.workflows import *\n"
        "flows = [build_chain(1, 2), build_group([1, 2]), build_chord(12, [1, 2, 3]),\n"
        "         build_graph(5, 3), build_chunks([1, 2, 3], 2),\n"
        "         build_from_data(4, [{'task': 'add', 'arguments': [2]}])]\n"
        "answer = [flow.delay().get(timeout=30) for flow in flows]"
    )

    assert results == [6, [2, 4], 22, 22, [[2, 4], [6]], 6]


def test_a_chord_with_a_part_that_fails_calls_its_error_callback_once(service: Service) -> None:
    state = service.run_python(
        f"{EXAMPLES}.workflows import build_chord\n"
        "sent = build_chord(12, [1, 0, 0]).delay()\n"
        "sent.get(timeout=30, propagate=False)\n"
        "answer = sent.state"
    )

    assert state == "FAILURE"
    service.workers["default"].wait_for_line("workflow failed")
    assert len(find_lines(service, "workflow failed")) == 1
