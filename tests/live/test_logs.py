"""The JSON logs of a project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conftest import count
from tests.live.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.bakery import Bakery
    from tests.support.brokers import Redis
    from tests.support.environments import Environment

pytestmark = pytest.mark.slow


def test_each_line_of_a_worker_and_of_beat_is_a_json_object(
    bake: Bakery,
    install_project: Callable[..., Environment],
    redis_server: Redis,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    count(request, "live")
    project = bake(project_name="Logs", queues="default:1", beat_jobs="tick = every 1s").copy_to(tmp_path)
    variables = {
        "CELERY_BROKER_URL": redis_server.new_database(),
        "CELERY_RESULT_BACKEND": redis_server.new_database(),
        "LOG_FORMAT": "json",
        # Celery warns about the user root, which containers and units do not use, before it configures logging.
        "PYTHONWARNINGS": "ignore",
    }
    with Service(project, install_project(project), variables) as service:
        service.start_all()
        worker, beat = service.workers["default"], service.beat
        assert beat
        worker.wait_for_line("task succeeded")
        for process in (beat, worker):
            process.terminate()
            process.wait()

    for process in (beat, worker):
        assert process.lines
        for line in process.lines:
            assert line.startswith("{"), f"{line!r} of:\n{process.output}"
            assert isinstance(json.loads(line), dict)
    stopping = [json.loads(line) for line in worker.lines if '"worker stopping"' in line]
    assert [line["running_tasks"] for line in stopping] == [0]
