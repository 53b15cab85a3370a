"""The memory of a worker does not grow with the tasks that fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.worker import proportional_memory
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
    """A project with a task that fails; its worker has one process, or threads."""
    count(request, "live")
    project = bake(queues=request.param, beat_jobs="", examples="false").copy_to(tmp_path)
    tasks = project.package / "tasks" / "default.py"
    tasks.write_text(tasks.read_text(encoding="utf-8") + FAILING, encoding="utf-8")
    return project


def test_failed_tasks_leave_no_memory_behind(
    project: BakedProject, installed: Callable[..., Environment], redis: Redis
) -> None:
    variables = {"CELERY_BROKER_URL": redis.new_database(), "CELERY_RESULT_BACKEND": redis.new_database()}
    with Service(project, installed(project), variables) as service:
        worker = service.start_worker("default")

        def memory_after(tasks: int) -> float:
            """Let tasks fail; return the memory of the worker in MiB."""
            service.ask(
                f"from {project.slug}.tasks.default import broken, ping\n"
                f"for _ in range({tasks}): broken.delay()\n"
                "answer = ping.delay().get(timeout=60)"
            )
            return proportional_memory(worker.popen.pid)

        before = memory_after(20)
        growth = memory_after(600) - before

    # Without a collection in time it is 40 to 120.
    assert growth < 30, f"{growth:.0f} MiB"
