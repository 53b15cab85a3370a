"""The memory of a worker whose tasks fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.worker import measure_memory
from tests.conftest import count
from tests.live.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.bakery import Bakery
    from tests.support.brokers import Redis
    from tests.support.environments import Environment
    from tests.support.project import BakedProject

pytestmark = pytest.mark.slow

FAILING = '''

@shared_task
def broken():
    """Fail."""
    raise ValueError("broken")
'''


@pytest.fixture(params=["default:1", "default:2@threads"])
def project(request: pytest.FixtureRequest, bake: Bakery, tmp_path: Path) -> BakedProject:
    """Return a project with a failing task, and a prefork or a threads worker."""
    count(request, "live")
    project = bake(queues=request.param, beat_jobs="", examples="false").copy_to(tmp_path)
    project.append("tasks/default.py", FAILING)
    return project


def test_failed_tasks_do_not_increase_the_memory(
    project: BakedProject, install_project: Callable[..., Environment], redis_server: Redis
) -> None:
    variables = {"CELERY_BROKER_URL": redis_server.new_database(), "CELERY_RESULT_BACKEND": redis_server.new_database()}
    with Service(project, install_project(project), variables) as service:
        worker = service.start_worker("default")

        def measure_memory_after(tasks: int) -> float:
            """Return the memory of the worker in MiB after a number of failing tasks."""
            service.run_python(
                f"from {project.slug}.tasks.default import broken, ping\n"
                f"for _ in range({tasks}): broken.delay()\n"
                "answer = ping.delay().get(timeout=60)"
            )
            return measure_memory(worker.popen.pid)

        before = measure_memory_after(20)
        growth = measure_memory_after(600) - before

    # Without garbage collections in time it is 40 to 120.
    assert growth < 30, f"{growth:.0f} MiB"
