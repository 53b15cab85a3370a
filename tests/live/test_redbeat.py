"""Two beats with RedBeat, started with the command in compose.yaml. One is active, and the other takes over."""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.conftest import count
from tests.live.service import Service, read_commands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.processes import Process
    from tests.support.servers import Servers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("redbeat")]

SENT = "Scheduler: Sending due task"
SENDS = "beat active"


@pytest.fixture(scope="module")
def service(
    bake: Bakery,
    install_project: Callable[..., Environment],
    servers: Servers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """Return a service with a job every second, RabbitMQ and a Redis for RedBeat, without processes."""
    project = bake(
        project_name="Two Beats",
        broker="rabbitmq",
        result_backend="none",
        beat_scheduler="redbeat",
        queues="default:1",
        beat_jobs="tick = every 1s",
        examples=False,
    ).copy_to(tmp_path_factory.mktemp("redbeat"))
    with Service(project, install_project(project), servers.variables(project)) as service:
        yield service


def start_beat(service: Service, name: str) -> Process:
    """Start a beat, and wait until its first tick."""
    beat = service.start(read_commands(service.project)["beat"], name, LOG_LEVEL="INFO")
    beat.wait_for_line("beat: Starting...")
    heartbeat = service.project.path / f"heartbeat-{name}"
    service.wait_until(heartbeat.exists)
    return beat


def count_sent(beat: Process) -> int:
    return beat.output.count(SENT)


def read_setting(service: Service, name: str) -> int:
    found = re.search(rf"^{name} = (\d+)", service.project.read("src/two_beats/celeryconfig.py"), re.MULTILINE)
    assert found, name
    return int(found[1])


def test_compose_starts_two_beats(service: Service) -> None:
    compose = yaml.safe_load(service.project.read("compose.yaml"))

    assert compose["services"]["beat"]["deploy"] == {"replicas": 2}


def test_one_of_two_healthy_beats_is_active_and_the_other_takes_over(
    service: Service, request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    first = start_beat(service, "first")
    first.wait_for_line(SENDS)
    second = start_beat(service, "second")
    first.wait_for_line(lambda _: count_sent(first) >= 3)
    assert count_sent(second) == 0
    # The inactive beat ticks, too.
    heartbeat = service.project.path / "heartbeat-second"
    last_tick = heartbeat.stat().st_mtime_ns
    interval = read_setting(service, "beat_max_loop_interval")
    service.wait_until(lambda: heartbeat.stat().st_mtime_ns != last_tick, 3 * interval)
    assert service.check_health("first") == service.check_health("second") == ""

    started = time.monotonic()
    first.popen.kill()
    second.wait_for_line(SENDS, timeout=60)
    seconds = time.monotonic() - started
    second.wait_for_line(SENT)
    # The lock expires, and the next tick acquires it.
    assert seconds < read_setting(service, "redbeat_lock_timeout") + interval + 3
    request.node.user_properties.append(("seconds after SIGKILL", seconds))

    third = start_beat(service, "third")
    started = time.monotonic()
    second.terminate()
    third.wait_for_line(SENDS, timeout=60)
    seconds = time.monotonic() - started
    assert second.wait(30) == 0
    # It released the lock.
    assert seconds < interval + 3
    request.node.user_properties.append(("seconds after SIGTERM", seconds))

    # It restores a schedule that Redis has lost.
    third.wait_for_line(SENT)
    subprocess.run(["redis-cli", "-u", service.variables["REDBEAT_REDIS_URL"], "flushdb"], check=True)
    third.wait_for_line("schedule lost, rewritten")
    before = count_sent(third)
    third.wait_for_line(lambda _: count_sent(third) > before)
    assert "beat on standby" not in third.output
    third.kill()  # it would restore the job that the next test removes


def test_a_removed_job_is_deleted_from_redis(service: Service) -> None:
    keys = "from two_beats.celery_app import app\nfrom redbeat.schedulers import ensure_conf, get_redis\n"
    keys += "ensure_conf(app)"
    names = f"{keys}\nanswer = sorted(get_redis(app).keys(app.redbeat_conf.key_prefix + 'tick*'))"
    assert len(service.run_python(names)) == 1

    schedule = service.project.package / "schedule.py"
    text = schedule.read_text(encoding="utf-8")
    try:
        schedule.write_text(re.sub(r"\{\n.*\n\}", "{}", text, flags=re.DOTALL), encoding="utf-8")
        service.run_python(f"{keys}\nfrom two_beats.beat import StandbyScheduler\nStandbyScheduler(app)\nanswer = None")
    finally:
        schedule.write_text(text, encoding="utf-8")
    assert service.run_python(names) == []
