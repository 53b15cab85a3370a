"""The units and the installer in deploy/systemd/, on a real systemd."""

from __future__ import annotations

import json
import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.real.conftest import add_figure
from tests.real.machine import Installation
from tests.real.tasks import ANSWERS, LOAD, PING_ALL_QUEUES, STOP_LOAD, add_test_task, wait_for_start
from tests.support.environments import find_uv

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.real.machine import Machine
    from tests.support.bakery import Bakery

pytestmark = pytest.mark.real

WORKERS = ("beat", "exporter", "flower", "worker-default@1", "worker-other@1")
VARIANTS = {"none": WORKERS, "fastapi": ("api", *WORKERS), "django": ("migrate", "web", *WORKERS)}

# Programs that run on the machine, because passwords and ports are local.
FLOWER = """
import base64, pathlib, urllib.error, urllib.request

def get(path, user):
    request = urllib.request.Request("http://127.0.0.1:5555" + path)
    if user:
        request.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()

valid = pathlib.Path("FILE").read_text().strip().partition("=")[2]
until = time.monotonic() + 60
while len(workers := json.loads(get("/workers?json=1", valid)[1])["data"]) < 2 and time.monotonic() < until:
    time.sleep(0.5)
statuses = [get("/workers", user)[0] for user in ("", "flower:wrong", valid)]
answer = {"statuses": statuses, "workers": sorted(each["hostname"].partition("@")[0] for each in workers)}
"""
METRICS = """
import urllib.request

def find_missing():
    for address, expected in EXPECTED:
        try:
            lines = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read().decode().splitlines()
        except OSError as error:
            lines = [repr(error)]
        if not any(line.startswith(expected) for line in lines):
            yield address, expected, lines

until = time.monotonic() + 60
while (answer := list(find_missing())) and time.monotonic() < until:
    time.sleep(0.5)
"""


@pytest.fixture(scope="module", params=list(VARIANTS))
def copied_project(
    request: pytest.FixtureRequest, machine: Machine, bake: Bakery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Return a variant that is copied to the machine, but not installed. It is removed at the end."""
    framework = request.param
    baked = bake(framework=framework, project_name=f"Real {framework} units", **ANSWERS).copy_to(
        tmp_path_factory.mktemp("units")
    )
    add_test_task(baked)
    baked.run(find_uv(), "lock", "--quiet", timeout=300)
    machine.start_broker()
    copied = Installation(machine, baked, machine.copy(baked, "/srv"), VARIANTS[framework])
    left = f"/srv/{baked.slug} /etc/{baked.slug} /var/lib/{baked.slug} /etc/systemd/system/{baked.slug}-*"
    machine.sh(f"{copied.folder}/deploy/systemd/install.sh --uninstall; rm -rf {left}", check=False)
    copied.upload()
    yield copied
    machine.sh(f"{copied.folder}/deploy/systemd/install.sh --uninstall; rm -rf {left}", check=False, timeout=400)


def change_source(installation: Installation, code: str) -> None:
    """Change the source, and upload it."""
    installation.project.append("health.py", f"\n{code}\n")
    installation.upload()


def is_restarted(unit: str, before: str) -> str:
    """Return a shell condition: a unit is active, after more restarts than before."""
    return f'[ "$(systemctl show -P NRestarts {unit})" -gt {before} ] && systemctl is-active --quiet {unit}'


@pytest.fixture(scope="module")
def installation(copied_project: Installation) -> Installation:
    """Install the project, write the addresses of the servers, and start it."""
    machine = copied_project.machine
    output = copied_project.run_installer().stdout
    assert "Set the addresses and passwords" in output
    environment = f"/etc/{copied_project.slug}/environment"
    url = f"redis://localhost:{machine.port}"
    machine.sh(
        f"sed -i -e 's|^CELERY_BROKER_URL=.*|CELERY_BROKER_URL={url}/0|'"
        f" -e 's|^CELERY_RESULT_BACKEND=.*|CELERY_RESULT_BACKEND={url}/1|'"
        f" -e 's|^DATABASE_URL=.*|DATABASE_URL=sqlite:////var/lib/{copied_project.slug}/db.sqlite3|' {environment}\n"
        f"! grep CHANGE_ME {environment}\n"
        f"systemctl start {copied_project.target}",
        timeout=400,
    )
    machine.sh(copied_project.all_active())
    return copied_project


def list_changes(machine: Machine, script: str) -> list[str]:
    """Run a script. Return the changed files on the machine, without logs and temporary files."""
    machine.sh(f"touch /run/before\n{script}", timeout=900)
    folders = "/boot /etc /home /opt /root /srv /usr /var/lib/systemd /var/spool"
    return machine.sh(f"find {folders} -xdev -newer /run/before", check=False).stdout.split()


def test_a_dry_run_changes_nothing(copied_project: Installation) -> None:
    installer = f"{copied_project.folder}/deploy/systemd/install.sh"

    output = copied_project.run_installer("--dry-run").stdout

    assert f" {copied_project.target}\n" in output[output.index("+ systemctl preset") :]
    assert list_changes(copied_project.machine, f"{installer} --dry-run; {installer} --dry-run --uninstall") == []


def test_a_dry_run_does_not_change_running_services(installation: Installation) -> None:
    installer = f"{installation.folder}/deploy/systemd/install.sh"
    pids = {unit: installation.machine.show(unit, "MainPID") for unit in installation.units()}

    # --rollback fails, because there is no previous release.
    script = f"{installer} --dry-run\n{installer} --dry-run --rollback || true\n{installer} --dry-run --uninstall"
    assert list_changes(installation.machine, script) == []
    assert {unit: installation.machine.show(unit, "MainPID") for unit in installation.units()} == pids


def test_the_installer_starts_every_service(installation: Installation, request: pytest.FixtureRequest) -> None:
    assert installation.units() == sorted(installation.unit(name) for name in installation.services)
    machine = installation.machine
    user = machine.show(installation.unit("worker-default@1"), "User")["User"]
    pid = machine.show(installation.unit("worker-default@1"), "MainPID")["MainPID"]
    assert machine.sh(
        f"stat -c '%U %a' /etc/{installation.slug} /etc/{installation.slug}/environment"
    ).stdout.split() == [
        *("root", "750"),
        *("root", "600"),
    ]
    assert machine.sh(f"ps -o user:32= -p {pid}").stdout.strip() == user != "root"
    if "migrate" in installation.services:
        dependencies = machine.show(installation.unit("worker-default@1"), "Requires", "After")
        assert all(installation.unit("migrate") in names.split() for names in dependencies.values())
    limit = machine.show(installation.unit("worker-default@1"), "MemoryMax")["MemoryMax"]
    assert int(limit) == (128 + 192 * 2) * 2**20
    add_figure(request, "systemd", machine.sh("systemctl --version").stdout.splitlines()[0])


def test_services_have_a_low_exposure_level(installation: Installation, request: pytest.FixtureRequest) -> None:
    found = {}
    for name in installation.services:
        output = installation.machine.sh(
            f"systemd-analyze security --no-pager --threshold=20 {installation.unit(name)}"
        ).stdout
        (found[name],) = re.findall(r"exposure level for .*: ([\d.]+)", output)

    add_figure(request, "exposure of each service (at most 2.0)", ", ".join(sorted(set(found.values()))))


def test_a_task_runs_on_each_queue_and_is_logged_in_the_namespace(
    installation: Installation, request: pytest.FixtureRequest
) -> None:
    runtimes = installation.run_python(PING_ALL_QUEUES)

    add_figure(
        request, "a task on each queue", ", ".join(f"{queue} {seconds} s" for queue, seconds in runtimes.items())
    )
    logs = f"journalctl -q --no-pager -o cat -u {installation.unit('worker-other@1')}"
    lines = installation.machine.sh(f"{logs} --namespace={installation.slug}").stdout.splitlines()
    assert "task succeeded" in {json.loads(line)["event"] for line in lines}
    assert "task succeeded" not in installation.machine.sh(logs).stdout


def test_a_running_task_finishes_during_a_stop(installation: Installation) -> None:
    unit = installation.unit("worker-other@1")
    installation.run_python(f'send("other", "stopped", wait=True)\n{wait_for_start("stopped")}answer = 1')

    installation.machine.sh(f"systemctl stop --no-block {unit}")
    installation.machine.wait_until(f'[ "$(systemctl show -P ActiveState {unit})" = deactivating ]', 30)
    with pytest.raises(subprocess.TimeoutExpired):
        installation.machine.wait_until(f'[ "$(systemctl show -P ActiveState {unit})" = inactive ]', 5)
    assert installation.run_python(
        'redis.delete("finished"); redis.rpush("release:stopped", 1)\n'
        'answer = redis.blpop(["finished"], timeout=30)[1].decode()'
    )
    installation.machine.sh(f"systemctl stop {unit}")
    assert installation.machine.show(unit, "Result", "ActiveState") == {"Result": "success", "ActiveState": "inactive"}
    installation.machine.sh(f"systemctl start {unit}")


def test_killed_services_are_restarted(installation: Installation, request: pytest.FixtureRequest) -> None:
    for name in installation.daemons:
        unit = installation.unit(name)
        before = installation.machine.show(unit, "NRestarts")["NRestarts"]

        installation.machine.sh(f"systemctl kill --kill-whom=main --signal=KILL {unit}")
        seconds = installation.machine.wait_until(is_restarted(unit, before), 60)

        add_figure(request, f"{name} is active again after kill -9", f"{seconds:.1f} s")


def test_a_frozen_service_is_restarted_and_a_busy_one_is_not(
    installation: Installation, request: pytest.FixtureRequest
) -> None:
    machine = installation.machine
    frozen = {name: installation.unit(name) for name in ("api", "worker-other@1") if name in installation.services}
    busy = installation.unit("worker-default@1")
    installation.run_python(f'send("default", "busy", wait=True)\n{wait_for_start("busy")}answer = 1')
    before = {unit: machine.show(unit, "NRestarts")["NRestarts"] for unit in (*frozen.values(), busy)}

    started = time.monotonic()
    for unit in frozen.values():
        machine.sh(f"systemctl kill --kill-whom=main --signal=STOP {unit}")
    for name, unit in frozen.items():
        machine.wait_until(is_restarted(unit, before[unit]), 240)
        add_figure(request, f"{name} stopped by SIGSTOP is active again after", f"{time.monotonic() - started:.0f} s")
        journal = f"journalctl -q --no-pager -o cat --namespace=+{installation.slug} --since -10min -u {unit}"
        output = machine.sh(journal).stdout
        assert "Watchdog timeout" in output
        assert "Fatal Python error: Aborted" in output, "the log contains no traceback"
    assert machine.show(busy, "NRestarts")["NRestarts"] == before[busy]
    release = 'redis.rpush("release:busy", 1)\nanswer = redis.blpop(["finished"], timeout=30) is not None'
    assert installation.run_python(f'redis.delete("finished")\n{release}')


def test_ticks_and_queries_feed_the_watchdogs_of_beat_and_exporter(
    installation: Installation, request: pytest.FixtureRequest
) -> None:
    machine = installation.machine
    units = {name: installation.unit(name) for name in ("beat", "exporter")}
    restart = f"systemctl daemon-reload; systemctl restart {' '.join(units.values())}"
    # Shorter than the default of five minutes. A tick takes 30 s at most, a query of the broker 10 s.
    for unit in units.values():
        machine.sh(f"mkdir -p /run/systemd/system/{unit}.d")
        machine.put({"shorter.conf": "[Service]\nWatchdogSec=45\n"}, f"/run/systemd/system/{unit}.d")
    try:
        machine.sh(restart)
        before = {unit: machine.show(unit, "NRestarts")["NRestarts"] for unit in units.values()}
        time.sleep(60)  # longer than the watchdog timeout
        assert {unit: machine.show(unit, "NRestarts")["NRestarts"] for unit in units.values()} == before
        started = time.monotonic()
        for unit in units.values():
            machine.sh(f"systemctl kill --kill-whom=main --signal=STOP {unit}")
        for name, unit in units.items():
            machine.wait_until(is_restarted(unit, before[unit]), 90)
            value = f"active again after {time.monotonic() - started:.0f} s"
            add_figure(request, f"{name}, with a watchdog of 45 s, stopped by SIGSTOP", value)
    finally:
        folders = " ".join(f"/run/systemd/system/{unit}.d" for unit in units.values())
        machine.sh(f"rm -r {folders}; {restart}")


def test_flower_requires_its_password_and_shows_the_workers(installation: Installation) -> None:
    file = f"/etc/{installation.slug}/flower.env"
    assert installation.machine.sh(f"stat -c '%U %a' {file}").stdout.split() == ["root", "600"]

    found = installation.run_python(FLOWER.replace("FILE", file))

    assert found == {"statuses": [401, 401, 200], "workers": ["default-1", "other-1"]}


def test_each_process_serves_its_metrics_at_its_prometheus_target(installation: Installation) -> None:
    groups = yaml.safe_load(installation.project.read("deploy/monitoring/targets.yaml"))
    targets = {target["labels"]["service"]: target["targets"][0] for target in groups}
    expected = {
        "beat": "celery_beat_last_tick_timestamp_seconds",
        "default": 'celery_worker_consuming{queue="default"} 1.0',
        "exporter": "celery_broker_up 1.0",
        "other": 'celery_worker_consuming{queue="other"} 1.0',
    }
    assert targets.keys() == expected.keys()

    assert (
        installation.run_python(
            METRICS.replace("EXPECTED", repr([(targets[name], expected[name]) for name in expected]))
        )
        == []
    )


def test_a_changed_setting_applies_after_a_restart(installation: Installation) -> None:
    unit = installation.unit("worker-other@1")
    folder = f"/etc/systemd/system/{unit}.d"
    installation.machine.sh(f"mkdir -p {folder}")
    installation.machine.put(
        {"override.conf": "[Service]\nEnvironment=CONCURRENCY=2\n"}, folder
    )  # as systemctl edit does
    installation.machine.sh(f"systemctl daemon-reload; systemctl restart {unit}")

    stats = "list(app.control.inspect(timeout=5).stats().items())"
    found = installation.run_python(f"answer = {{name: stats['pool']['max-concurrency'] for name, stats in {stats}}}")
    assert sorted(found.values()) == [2, 2]


def test_an_upgrade_under_load_loses_no_task(installation: Installation, request: pytest.FixtureRequest) -> None:
    before = installation.release()
    pids = {unit: installation.machine.show(unit, "MainPID") for unit in map(installation.unit, installation.daemons)}
    change_source(installation, "# Changed.")
    with installation.machine.follow(installation.client(LOAD, "load"), "load") as load:
        load.wait_for_line("under load", 60)
        started = time.monotonic()
        installation.run_installer()
        seconds = time.monotonic() - started
        installation.run_python(STOP_LOAD)
        load.wait_for_line('"sent"', 400)
    found = json.loads(load.lines[-1])

    add_figure(
        request,
        "upgrade under load",
        f"{seconds:.1f} s; {found['sent']} sent, {len(found['lost'])} lost, {found['runs'] - found['distinct']} twice",
    )
    assert installation.release() > before
    assert all(installation.machine.show(unit, "MainPID") != pid for unit, pid in pids.items())
    assert found["lost"] == []
    assert found["distinct"] == found["sent"]
    unit = installation.unit("worker-other@1")
    assert "CONCURRENCY=2" in installation.machine.show(unit, "Environment")["Environment"], (
        "the change of the operator is lost"
    )


def test_a_second_instance_of_a_worker_has_a_unique_name_and_metrics_address(installation: Installation) -> None:
    second = installation.unit("worker-other@2")
    targets = yaml.safe_load(installation.project.read("deploy/monitoring/targets.yaml"))
    (address,) = next(target["targets"] for target in targets if target["labels"]["service"] == "other")
    expected = [(address.replace("127.0.0.1", f"127.0.0.{number}"), "celery_worker_consuming") for number in (1, 2)]

    installation.machine.sh(f"systemctl enable --now --quiet {second}")
    try:
        found = installation.run_python(
            "answer = sorted(name.partition('@')[0] for name in app.control.inspect(timeout=5).stats())"
        )
        assert found == ["default-1", "other-1", "other-2"]
        assert installation.run_python(METRICS.replace("EXPECTED", repr(expected))) == []
    finally:
        installation.machine.sh(f"systemctl disable --now --quiet {second}")


def test_an_upgrade_keeps_disabled_masked_and_enabled_units(installation: Installation) -> None:
    machine = installation.machine
    flower, exporter, second = map(installation.unit, ("flower", "exporter", "worker-other@2"))
    machine.sh(f"systemctl disable --quiet --now {flower}; systemctl mask --quiet --now {exporter}")
    machine.sh(f"systemctl enable --quiet --now {second}")
    pid = machine.show(second, "MainPID")
    change_source(installation, "# Changed again.")
    try:
        installation.run_installer()

        assert machine.show(flower, "ActiveState") == {"ActiveState": "inactive"}
        assert machine.show(exporter, "LoadState", "ActiveState") == {"LoadState": "masked", "ActiveState": "inactive"}
        assert machine.show(second, "MainPID") != pid
        assert installation.get_release_of(second) == installation.release()
    finally:
        machine.sh(f"systemctl unmask --quiet {exporter}; systemctl enable --quiet --now {flower} {exporter}")
        machine.sh(f"systemctl disable --quiet --now {second}")


def test_an_interrupted_upgrade_lists_the_units_of_the_old_release(installation: Installation) -> None:
    before, machine = installation.release(), installation.machine
    unit = installation.unit("worker-other@1")
    installation.run_python(f'send("other", "interrupted", wait=True)\n{wait_for_start("interrupted")}answer = 1')
    change_source(installation, "# Changed while a task runs.")
    is_stopping = f'[ "$(systemctl show -P ActiveState {unit})" = deactivating ]'

    # Like Ctrl+C, which signals the process group.
    completed = machine.sh(
        f"setsid {installation.folder}/deploy/systemd/install.sh & installer=$!\n"
        f"until {is_stopping}; do sleep 0.2; done\nkill -s TERM -- -$installer\nwait $installer",
        timeout=900,
        check=False,
    )

    assert completed.returncode != 0
    assert f"{unit} still runs another release" in completed.stderr
    assert "--rollback" in completed.stderr
    assert installation.get_release_of(unit) == before
    assert installation.release() > before
    installation.run_python('redis.rpush("release:interrupted", 1)\nanswer = 1')
    installation.run_installer()
    assert installation.get_release_of(unit) == installation.release()


def test_a_host_runs_the_services_of_its_roles(installation: Installation) -> None:
    machine = installation.machine
    running = (
        f"systemctl list-units --plain --no-legend --state=active '{installation.slug}-*.service' | cut -d ' ' -f 1"
    )
    all_units = machine.sh(running).stdout.split()
    migrate = ["migrate"] if "migrate" in installation.services else []

    installation.run_installer("--role", "worker", "--queue", "other", "--role", "beat")
    selected = sorted(installation.unit(name) for name in ("beat", *migrate, "worker-other@1"))
    assert machine.sh(running).stdout.split() == selected
    change_source(installation, "# Changed with roles.")
    installation.run_installer()
    assert machine.sh(running).stdout.split() == selected

    roles = ["worker", "beat", "monitoring", *(["web"] if {"api", "web"} & set(installation.services) else [])]
    installation.run_installer(*(f"--role {role}" for role in roles))
    assert machine.sh(running).stdout.split() == all_units


def test_a_release_that_fails_to_start_is_reported_and_rolled_back(
    installation: Installation, request: pytest.FixtureRequest
) -> None:
    before, machine = installation.release(), installation.machine
    unit = f"deploy/systemd/{installation.slug}-beat.service"
    path = installation.project.path / unit
    path.write_text(path.read_text(encoding="utf-8") + "# A line of a bad release.\n", encoding="utf-8")
    change_source(installation, "HeartbeatThread.start = lambda self: os._exit(3)  # as soon as a worker is ready")

    completed = installation.run_installer(check=False)
    assert completed.returncode == 1
    assert "--rollback" in completed.stderr
    assert "A line of a bad release" in machine.sh(f"systemctl cat {installation.unit('beat')}").stdout

    started = time.monotonic()
    installation.run_installer("--rollback")
    add_figure(request, "rollback", f"{time.monotonic() - started:.1f} s")
    assert installation.release() == before
    assert "A line of a bad release" not in machine.sh(f"systemctl cat {installation.unit('beat')}").stdout
    machine.sh(installation.all_active())
    installation.run_python(PING_ALL_QUEUES)


def test_after_a_reboot_services_and_queued_tasks_run(
    installation: Installation, request: pytest.FixtureRequest
) -> None:
    machine = installation.machine
    machine.sh(f"systemctl stop {installation.unit('worker-other@1')}")
    installation.run_python('redis.delete("finished")\nanswer = send("other", "queued").id')
    running = installation.all_active()
    machine.sh("touch /run/before-the-reboot")

    started = time.monotonic()
    machine.sh("systemctl reboot", check=False)
    while time.monotonic() < started + 180:
        completed = machine.sh(f"[ ! -e /run/before-the-reboot ] && {running}", check=False)
        if completed.returncode == 0:
            break
        time.sleep(0.5)  # an unreachable machine causes no event
    seconds = time.monotonic() - started
    machine.sh(running)
    add_figure(request, "reboot until all services are active", f"{seconds:.1f} s")
    assert installation.run_python('answer = redis.blpop(["finished"], timeout=30)[1].decode()') == "queued"


def test_an_uninstallation_keeps_only_settings_and_state(installation: Installation) -> None:
    installation.run_installer("--uninstall")

    found = installation.machine.sh(
        f"find / -xdev -name '*{installation.slug}*' -not -path '/proc/*' -not -path '/srv/*' -not -path '/run/*'"
    ).stdout.split()
    changed = f"/etc/systemd/system/{installation.unit('worker-other@1')}.d"
    allowed = (f"/etc/{installation.slug}", f"/var/lib/{installation.slug}", "/var/log/journal/", changed)
    assert [path for path in found if not path.startswith(allowed)] == []
    assert (
        installation.machine.sh(f"systemctl list-units --all --no-legend '{installation.slug}-*'").stdout.strip() == ""
    )
