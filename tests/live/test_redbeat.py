"""Two beats by RedBeat, started as compose.yaml does: one sends, and the other takes over."""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.conftest import count
from tests.live.service import Service, commands

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
    installed: Callable[..., Environment],
    servers: Servers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """A project with a job a second, whose broker is not the Redis that RedBeat needs; nothing runs yet."""
    project = bake(
        project_name="Two Beats",
        broker="rabbitmq",
        result_backend="none",
        beat_scheduler="redbeat",
        queues="default:1",
        beat_jobs="tick = every 1s",
        examples=False,
    ).copy_to(tmp_path_factory.mktemp("redbeat"))
    with Service(project, installed(project), servers.variables(project)) as waiting:
        yield waiting


def start_beat(service: Service, name: str) -> Process:
    """Start another beat, and wait until it ticks."""
    beat = service.start(commands(service.project)["beat"], name, LOG_LEVEL="INFO")
    beat.wait_for_line("beat: Starting...")
    heartbeat = service.project.path / f"heartbeat-{name}"
    until = time.monotonic() + 30
    while not heartbeat.exists():
        assert time.monotonic() < until, beat.output
        time.sleep(0.05)
    return beat


def sent(beat: Process) -> int:
    return beat.output.count(SENT)


def setting(service: Service, name: str) -> int:
    found = re.search(rf"^{name} = (\d+)", service.project.read("src/two_beats/celeryconfig.py"), re.MULTILINE)
    assert found, name
    return int(found[1])


def test_compose_starts_two_of_them(service: Service) -> None:
    compose = yaml.safe_load(service.project.read("compose.yaml"))

    assert compose["services"]["beat"]["deploy"] == {"replicas": 2}


def test_one_sends_both_are_healthy_and_each_takes_over(service: Service, request: pytest.FixtureRequest) -> None:
    count(request, "live")
    first = start_beat(service, "first")
    first.wait_for_line(SENDS)
    second = start_beat(service, "second")
    first.wait_for_line(lambda _: sent(first) >= 3)
    assert sent(second) == 0
    # The one that waits ticks, too.
    heartbeat = service.project.path / "heartbeat-second"
    seen, until = heartbeat.stat().st_mtime_ns, time.monotonic() + 3 * setting(service, "beat_max_loop_interval")
    while heartbeat.stat().st_mtime_ns == seen:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert service.health("first") == service.health("second") == ""

    killed = time.monotonic()
    first.popen.kill()
    second.wait_for_line(SENDS, timeout=60)
    took = time.monotonic() - killed
    second.wait_for_line(SENT)
    # The lock lasts so long, and then it is asked for at the next tick.
    assert took < setting(service, "redbeat_lock_timeout") + setting(service, "beat_max_loop_interval") + 3
    request.node.user_properties.append(("seconds after SIGKILL", took))

    third = start_beat(service, "third")
    stopped = time.monotonic()
    second.terminate()
    third.wait_for_line(SENDS, timeout=60)
    took = time.monotonic() - stopped
    assert second.wait(30) == 0
    # It gave the lock back.
    assert took < setting(service, "beat_max_loop_interval") + 3
    request.node.user_properties.append(("seconds after SIGTERM", took))

    # It writes a schedule that Redis has lost.
    third.wait_for_line(SENT)
    subprocess.run(["redis-cli", "-u", service.variables["REDBEAT_REDIS_URL"], "flushdb"], check=True)
    third.wait_for_line("schedule lost, rewritten")
    before = sent(third)
    third.wait_for_line(lambda _: sent(third) > before)
    assert "beat on standby" not in third.output
    third.kill()  # or it would write the job of the next test again


def test_a_job_that_is_taken_out_leaves_redis(service: Service) -> None:
    keys = "from two_beats.celery_app import app\nfrom redbeat.schedulers import ensure_conf, get_redis\n"
    keys += "ensure_conf(app)"
    names = f"{keys}\nanswer = sorted(get_redis(app).keys(app.redbeat_conf.key_prefix + 'tick*'))"
    assert len(service.ask(names)) == 1

    schedule = service.project.package / "schedule.py"
    written = schedule.read_text(encoding="utf-8")
    try:
        schedule.write_text(re.sub(r"\{\n.*\n\}", "{}", written, flags=re.DOTALL), encoding="utf-8")
        service.ask(f"{keys}\nfrom two_beats.beat import StandbyScheduler\nStandbyScheduler(app)\nanswer = None")
    finally:
        schedule.write_text(written, encoding="utf-8")
    assert service.ask(names) == []
