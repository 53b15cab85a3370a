"""What deploy/systemd/ installs, on a real systemd."""

from __future__ import annotations

import json
import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.real.conftest import figure
from tests.real.machine import Installation
from tests.real.work import ANSWERS, ENOUGH, LOAD, PING_EVERYWHERE, give_work, wait_until_started
from tests.support.environments import uv

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.real.machine import Machine
    from tests.support.bakery import Bakery

pytestmark = pytest.mark.real

WORKERS = ("beat", "exporter", "flower", "worker-default@1", "worker-other@1")
VARIANTS = {"none": WORKERS, "fastapi": ("api", *WORKERS), "django": ("migrate", "web", *WORKERS)}

# These run on the machine, where passwords and ports are.
FLOWER = """
import base64, pathlib, urllib.error, urllib.request

def get(path, user):
    asked = urllib.request.Request("http://127.0.0.1:5555" + path)
    if user:
        asked.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()

right = pathlib.Path("FILE").read_text().strip().partition("=")[2]
until = time.monotonic() + 60
while len(workers := json.loads(get("/workers?json=1", right)[1])["data"]) < 2 and time.monotonic() < until:
    time.sleep(0.5)
statuses = [get("/workers", user)[0] for user in ("", "flower:wrong", right)]
answer = {"statuses": statuses, "workers": sorted(each["hostname"].partition("@")[0] for each in workers)}
"""
METRICS = """
import urllib.request

def missed():
    for address, wanted in WANTED:
        try:
            shown = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read().decode().splitlines()
        except OSError as error:
            shown = [repr(error)]
        if not any(line.startswith(wanted) for line in shown):
            yield address, wanted, shown

until = time.monotonic() + 60
while (answer := list(missed())) and time.monotonic() < until:
    time.sleep(0.5)
"""


@pytest.fixture(scope="module", params=list(VARIANTS))
def project(
    request: pytest.FixtureRequest, machine: Machine, bake: Bakery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """A variant in a folder of the machine, not yet installed; at the end nothing of it is left."""
    framework = request.param
    baked = bake(framework=framework, project_name=f"Real {framework} units", **ANSWERS).copy_to(
        tmp_path_factory.mktemp("units")
    )
    give_work(baked)
    baked.run(uv(), "lock", "--quiet", timeout=300)
    machine.start_broker()
    copied = Installation(machine, baked, machine.copy(baked, "/srv"), VARIANTS[framework])
    left = f"/srv/{baked.slug} /etc/{baked.slug} /var/lib/{baked.slug} /etc/systemd/system/{baked.slug}-*"
    machine.sh(f"{copied.folder}/deploy/systemd/install.sh --uninstall; rm -rf {left}", check=False)
    copied.upload()
    yield copied
    machine.sh(f"{copied.folder}/deploy/systemd/install.sh --uninstall; rm -rf {left}", check=False, timeout=400)


def change(project: Installation, what: str) -> None:
    """Change the source, and bring it to the machine."""
    module = project.project.package / "health.py"
    module.write_text(f"{module.read_text(encoding='utf-8')}\n{what}\n", encoding="utf-8")
    project.upload()


def restarted(unit: str, before: str) -> str:
    """A shell's condition: a unit is active again, after more restarts than before."""
    return f'[ "$(systemctl show -P NRestarts {unit})" -gt {before} ] && systemctl is-active --quiet {unit}'


@pytest.fixture(scope="module")
def installed(project: Installation) -> Installation:
    """The project, installed and running; the installer's first words asked for the servers' addresses."""
    machine = project.machine
    said = project.installer().stdout
    assert "Set the addresses and passwords" in said
    environment = f"/etc/{project.slug}/environment"
    url = f"redis://localhost:{machine.port}"
    machine.sh(
        f"sed -i -e 's|^CELERY_BROKER_URL=.*|CELERY_BROKER_URL={url}/0|'"
        f" -e 's|^CELERY_RESULT_BACKEND=.*|CELERY_RESULT_BACKEND={url}/1|'"
        f" -e 's|^DATABASE_URL=.*|DATABASE_URL=sqlite:////var/lib/{project.slug}/db.sqlite3|' {environment}\n"
        f"! grep CHANGE_ME {environment}\n"
        f"systemctl start {project.target}",
        timeout=400,
    )
    machine.sh(project.running())
    return project


def changed_by(machine: Machine, script: str) -> list[str]:
    """What has changed on a machine since before a script, logs and what belongs to no file aside."""
    machine.sh(f"touch /run/before\n{script}", timeout=900)
    places = "/boot /etc /home /opt /root /srv /usr /var/lib/systemd /var/spool"
    return machine.sh(f"find {places} -xdev -newer /run/before", check=False).stdout.split()


def test_a_dry_run_changes_nothing(project: Installation) -> None:
    installer = f"{project.folder}/deploy/systemd/install.sh"

    said = project.installer("--dry-run").stdout

    assert f" {project.target}\n" in said[said.index("+ systemctl preset") :]
    assert changed_by(project.machine, f"{installer} --dry-run; {installer} --dry-run --uninstall") == []


def test_a_dry_run_changes_nothing_of_what_runs(installed: Installation) -> None:
    installer = f"{installed.folder}/deploy/systemd/install.sh"
    pids = {unit: installed.machine.show(unit, "MainPID") for unit in installed.units()}

    # There is nothing yet to go back to, which it says.
    script = f"{installer} --dry-run\n{installer} --dry-run --rollback || true\n{installer} --dry-run --uninstall"
    assert changed_by(installed.machine, script) == []
    assert {unit: installed.machine.show(unit, "MainPID") for unit in installed.units()} == pids


def test_the_installer_starts_every_service(installed: Installation, request: pytest.FixtureRequest) -> None:
    assert installed.units() == sorted(installed.unit(name) for name in installed.services)
    machine = installed.machine
    user = machine.show(installed.unit("worker-default@1"), "User")["User"]
    pid = machine.show(installed.unit("worker-default@1"), "MainPID")["MainPID"]
    assert machine.sh(f"stat -c '%U %a' /etc/{installed.slug} /etc/{installed.slug}/environment").stdout.split() == [
        *("root", "750"),
        *("root", "600"),
    ]
    assert machine.sh(f"ps -o user:32= -p {pid}").stdout.strip() == user != "root"
    if "migrate" in installed.services:
        waits = machine.show(installed.unit("worker-default@1"), "Requires", "After")
        assert all(installed.unit("migrate") in names.split() for names in waits.values())
    limit = machine.show(installed.unit("worker-default@1"), "MemoryMax")["MemoryMax"]
    assert int(limit) == (256 + 64 * 2) * 2**20
    figure(request, "systemd", machine.sh("systemctl --version").stdout.splitlines()[0])


def test_services_are_little_exposed(installed: Installation, request: pytest.FixtureRequest) -> None:
    found = {}
    for name in installed.services:
        said = installed.machine.sh(f"systemd-analyze security --no-pager --threshold=20 {installed.unit(name)}").stdout
        (found[name],) = re.findall(r"exposure level for .*: ([\d.]+)", said)

    figure(request, "exposure of each service (2.0 is the most allowed)", ", ".join(sorted(set(found.values()))))


def test_a_task_runs_through_each_queue_and_is_logged_apart(
    installed: Installation, request: pytest.FixtureRequest
) -> None:
    seconds = installed.ask(PING_EVERYWHERE)

    figure(request, "a task through each queue", ", ".join(f"{queue} {took} s" for queue, took in seconds.items()))
    logs = f"journalctl -q --no-pager -o cat -u {installed.unit('worker-other@1')}"
    lines = installed.machine.sh(f"{logs} --namespace={installed.slug}").stdout.splitlines()
    assert "task succeeded" in {json.loads(line)["event"] for line in lines}
    assert "task succeeded" not in installed.machine.sh(logs).stdout


def test_a_stop_during_a_task_lets_it_finish(installed: Installation) -> None:
    unit = installed.unit("worker-other@1")
    installed.ask(f'send("other", "stopped", held=True)\n{wait_until_started("stopped")}answer = 1')

    installed.machine.sh(f"systemctl stop --no-block {unit}")
    installed.machine.wait_until(f'[ "$(systemctl show -P ActiveState {unit})" = deactivating ]', 30)
    with pytest.raises(subprocess.TimeoutExpired):
        installed.machine.wait_until(f'[ "$(systemctl show -P ActiveState {unit})" = inactive ]', 5)
    assert installed.ask(
        'redis.delete("finished"); redis.rpush("release:stopped", 1)\n'
        'answer = redis.blpop(["finished"], timeout=30)[1].decode()'
    )
    installed.machine.sh(f"systemctl stop {unit}")
    assert installed.machine.show(unit, "Result", "ActiveState") == {"Result": "success", "ActiveState": "inactive"}
    installed.machine.sh(f"systemctl start {unit}")


def test_killed_services_are_started_again(installed: Installation, request: pytest.FixtureRequest) -> None:
    for name in installed.daemons:
        unit = installed.unit(name)
        before = installed.machine.show(unit, "NRestarts")["NRestarts"]

        installed.machine.sh(f"systemctl kill --kill-whom=main --signal=KILL {unit}")
        took = installed.machine.wait_until(restarted(unit, before), 60)

        figure(request, f"{name} is active again after kill -9", f"{took:.1f} s")


def test_a_frozen_service_is_restarted_and_a_busy_one_is_not(
    installed: Installation, request: pytest.FixtureRequest
) -> None:
    machine = installed.machine
    frozen = {name: installed.unit(name) for name in ("api", "worker-other@1") if name in installed.services}
    busy = installed.unit("worker-default@1")
    installed.ask(f'send("default", "busy", held=True)\n{wait_until_started("busy")}answer = 1')
    before = {unit: machine.show(unit, "NRestarts")["NRestarts"] for unit in (*frozen.values(), busy)}

    started = time.monotonic()
    for unit in frozen.values():
        machine.sh(f"systemctl kill --kill-whom=main --signal=STOP {unit}")
    for name, unit in frozen.items():
        machine.wait_until(restarted(unit, before[unit]), 240)
        figure(request, f"{name} stopped by SIGSTOP is active again after", f"{time.monotonic() - started:.0f} s")
        journal = f"journalctl -q --no-pager -o cat --namespace=+{installed.slug} --since -10min -u {unit}"
        said = machine.sh(journal).stdout
        assert "Watchdog timeout" in said
        assert "Fatal Python error: Aborted" in said, "it does not say where it hung"
    assert machine.show(busy, "NRestarts")["NRestarts"] == before[busy]
    release = 'redis.rpush("release:busy", 1)\nanswer = redis.blpop(["finished"], timeout=30) is not None'
    assert installed.ask(f'redis.delete("finished")\n{release}')


def test_the_watchdogs_of_beat_and_exporter_are_fed_by_what_they_do(
    installed: Installation, request: pytest.FixtureRequest
) -> None:
    machine = installed.machine
    units = {name: installed.unit(name) for name in ("beat", "exporter")}
    restart = f"systemctl daemon-reload; systemctl restart {' '.join(units.values())}"
    # Their own five minutes would only take longer. A tick takes 30 s at most, a look at the broker 10 s.
    for unit in units.values():
        machine.sh(f"mkdir -p /run/systemd/system/{unit}.d")
        machine.put({"shorter.conf": "[Service]\nWatchdogSec=45\n"}, f"/run/systemd/system/{unit}.d")
    try:
        machine.sh(restart)
        before = {unit: machine.show(unit, "NRestarts")["NRestarts"] for unit in units.values()}
        time.sleep(60)  # longer than the watchdog waits: it is fed, or it would bite
        assert {unit: machine.show(unit, "NRestarts")["NRestarts"] for unit in units.values()} == before
        started = time.monotonic()
        for unit in units.values():
            machine.sh(f"systemctl kill --kill-whom=main --signal=STOP {unit}")
        for name, unit in units.items():
            machine.wait_until(restarted(unit, before[unit]), 90)
            took = f"active again after {time.monotonic() - started:.0f} s"
            figure(request, f"{name}, with a watchdog of 45 s, stopped by SIGSTOP", took)
    finally:
        folders = " ".join(f"/run/systemd/system/{unit}.d" for unit in units.values())
        machine.sh(f"rm -r {folders}; {restart}")


def test_flower_asks_for_its_password_and_shows_the_workers(installed: Installation) -> None:
    file = f"/etc/{installed.slug}/flower.env"
    assert installed.machine.sh(f"stat -c '%U %a' {file}").stdout.split() == ["root", "600"]

    found = installed.ask(FLOWER.replace("FILE", file))

    assert found == {"statuses": [401, 401, 200], "workers": ["default-1", "other-1"]}


def test_every_process_serves_its_metrics_where_prometheus_finds_them(installed: Installation) -> None:
    written = yaml.safe_load(installed.project.read("deploy/monitoring/targets.yaml"))
    targets = {target["labels"]["service"]: target["targets"][0] for target in written}
    expected = {
        "beat": "celery_beat_last_tick_timestamp_seconds",
        "default": 'celery_worker_consuming{queue="default"} 1.0',
        "exporter": "celery_broker_up 1.0",
        "other": 'celery_worker_consuming{queue="other"} 1.0',
    }
    assert targets.keys() == expected.keys()

    assert installed.ask(METRICS.replace("WANTED", repr([(targets[name], expected[name]) for name in expected]))) == []


def test_a_changed_setting_holds_after_a_restart(installed: Installation) -> None:
    unit = installed.unit("worker-other@1")
    folder = f"/etc/systemd/system/{unit}.d"
    installed.machine.sh(f"mkdir -p {folder}")
    installed.machine.put({"override.conf": "[Service]\nEnvironment=CONCURRENCY=2\n"}, folder)  # as systemctl edit does
    installed.machine.sh(f"systemctl daemon-reload; systemctl restart {unit}")

    asked = "list(app.control.inspect(timeout=5).stats().items())"
    found = installed.ask(f"answer = {{name: stats['pool']['max-concurrency'] for name, stats in {asked}}}")
    assert sorted(found.values()) == [2, 2]


def test_an_upgrade_under_load_loses_nothing(installed: Installation, request: pytest.FixtureRequest) -> None:
    before = installed.release()
    pids = {unit: installed.machine.show(unit, "MainPID") for unit in map(installed.unit, installed.daemons)}
    change(installed, "# Changed.")
    with installed.machine.follow(installed.client(LOAD, "load"), "load") as load:
        load.wait_for_line("under load", 60)
        started = time.monotonic()
        installed.installer()
        took = time.monotonic() - started
        installed.ask(ENOUGH)
        load.wait_for_line('"sent"', 400)
    found = json.loads(load.lines[-1])

    figure(
        request,
        "upgrade under load",
        f"{took:.1f} s; {found['sent']} sent, {len(found['lost'])} lost, {found['runs'] - found['different']} twice",
    )
    assert installed.release() > before
    assert all(installed.machine.show(unit, "MainPID") != pid for unit, pid in pids.items())
    assert found["lost"] == []
    assert found["different"] == found["sent"]
    unit = installed.unit("worker-other@1")
    assert "CONCURRENCY=2" in installed.machine.show(unit, "Environment")["Environment"], (
        "the operator's change is lost"
    )


def test_a_second_instance_of_a_worker_has_its_own_name_and_metrics(installed: Installation) -> None:
    second = installed.unit("worker-other@2")
    targets = yaml.safe_load(installed.project.read("deploy/monitoring/targets.yaml"))
    (address,) = next(target["targets"] for target in targets if target["labels"]["service"] == "other")
    wanted = [(address.replace("127.0.0.1", f"127.0.0.{number}"), "celery_worker_consuming") for number in (1, 2)]

    installed.machine.sh(f"systemctl enable --now --quiet {second}")
    try:
        found = installed.ask(
            "answer = sorted(name.partition('@')[0] for name in app.control.inspect(timeout=5).stats())"
        )
        assert found == ["default-1", "other-1", "other-2"]
        assert installed.ask(METRICS.replace("WANTED", repr(wanted))) == []
    finally:
        installed.machine.sh(f"systemctl disable --now --quiet {second}")


def test_an_upgrade_keeps_what_was_disabled_masked_or_enabled(installed: Installation) -> None:
    machine = installed.machine
    flower, exporter, second = map(installed.unit, ("flower", "exporter", "worker-other@2"))
    machine.sh(f"systemctl disable --quiet --now {flower}; systemctl mask --quiet --now {exporter}")
    machine.sh(f"systemctl enable --quiet --now {second}")
    pid = machine.show(second, "MainPID")
    change(installed, "# Changed again.")
    try:
        installed.installer()

        assert machine.show(flower, "ActiveState") == {"ActiveState": "inactive"}
        assert machine.show(exporter, "LoadState", "ActiveState") == {"LoadState": "masked", "ActiveState": "inactive"}
        assert machine.show(second, "MainPID") != pid
        assert installed.runs(second) == installed.release()
    finally:
        machine.sh(f"systemctl unmask --quiet {exporter}; systemctl enable --quiet --now {flower} {exporter}")
        machine.sh(f"systemctl disable --quiet --now {second}")


def test_an_upgrade_that_is_interrupted_names_what_still_runs_the_old_release(installed: Installation) -> None:
    before, machine = installed.release(), installed.machine
    unit = installed.unit("worker-other@1")
    installed.ask(f'send("other", "interrupted", held=True)\n{wait_until_started("interrupted")}answer = 1')
    change(installed, "# Changed while a task runs.")
    waits = f'[ "$(systemctl show -P ActiveState {unit})" = deactivating ]'

    # As Ctrl+C, which signals the group of processes.
    ran = machine.sh(
        f"setsid {installed.folder}/deploy/systemd/install.sh & installer=$!\n"
        f"until {waits}; do sleep 0.2; done\nkill -s TERM -- -$installer\nwait $installer",
        timeout=900,
        check=False,
    )

    assert ran.returncode != 0
    assert f"{unit} still runs another release" in ran.stderr
    assert "--rollback" in ran.stderr
    assert installed.runs(unit) == before
    assert installed.release() > before
    installed.ask('redis.rpush("release:interrupted", 1)\nanswer = 1')
    installed.installer()
    assert installed.runs(unit) == installed.release()


def test_a_host_runs_the_services_of_its_roles(installed: Installation) -> None:
    machine = installed.machine
    running = f"systemctl list-units --plain --no-legend --state=active '{installed.slug}-*.service' | cut -d ' ' -f 1"
    every = machine.sh(running).stdout.split()
    migrate = ["migrate"] if "migrate" in installed.services else []

    installed.installer("--role", "worker", "--queue", "other", "--role", "beat")
    some = sorted(installed.unit(name) for name in ("beat", *migrate, "worker-other@1"))
    assert machine.sh(running).stdout.split() == some
    change(installed, "# Changed with roles.")
    installed.installer()
    assert machine.sh(running).stdout.split() == some

    roles = ["worker", "beat", "monitoring", *(["web"] if {"api", "web"} & set(installed.services) else [])]
    installed.installer(*(f"--role {role}" for role in roles))
    assert machine.sh(running).stdout.split() == every


def test_a_release_that_does_not_run_is_noticed_and_rolled_back(
    installed: Installation, request: pytest.FixtureRequest
) -> None:
    before, machine = installed.release(), installed.machine
    unit = f"deploy/systemd/{installed.slug}-beat.service"
    path = installed.project.path / unit
    path.write_text(path.read_text(encoding="utf-8") + "# A line of a bad release.\n", encoding="utf-8")
    change(installed, "HeartbeatThread.start = lambda self: os._exit(3)  # as soon as a worker is ready")

    ran = installed.installer(check=False)
    assert ran.returncode == 1
    assert "--rollback" in ran.stderr
    assert "A line of a bad release" in machine.sh(f"systemctl cat {installed.unit('beat')}").stdout

    started = time.monotonic()
    installed.installer("--rollback")
    figure(request, "rollback", f"{time.monotonic() - started:.1f} s")
    assert installed.release() == before
    assert "A line of a bad release" not in machine.sh(f"systemctl cat {installed.unit('beat')}").stdout
    machine.sh(installed.running())
    installed.ask(PING_EVERYWHERE)


def test_after_a_reboot_everything_runs_and_what_was_queued_is_done(
    installed: Installation, request: pytest.FixtureRequest
) -> None:
    machine = installed.machine
    machine.sh(f"systemctl stop {installed.unit('worker-other@1')}")
    installed.ask('redis.delete("finished")\nanswer = send("other", "queued").id')
    running = installed.running()
    machine.sh("touch /run/before-the-reboot")

    started = time.monotonic()
    machine.sh("systemctl reboot", check=False)
    while time.monotonic() < started + 180:
        ran = machine.sh(f"[ ! -e /run/before-the-reboot ] && {running}", check=False)
        if ran.returncode == 0:
            break
        time.sleep(0.5)  # a machine that is away has no event
    took = time.monotonic() - started
    machine.sh(running)
    figure(request, "reboot until every service is active", f"{took:.1f} s")
    assert installed.ask('answer = redis.blpop(["finished"], timeout=30)[1].decode()') == "queued"


def test_an_uninstallation_leaves_settings_and_state_only(installed: Installation) -> None:
    installed.installer("--uninstall")

    found = installed.machine.sh(
        f"find / -xdev -name '*{installed.slug}*' -not -path '/proc/*' -not -path '/srv/*' -not -path '/run/*'"
    ).stdout.split()
    changed = f"/etc/systemd/system/{installed.unit('worker-other@1')}.d"
    allowed = (f"/etc/{installed.slug}", f"/var/lib/{installed.slug}", "/var/log/journal/", changed)
    assert [path for path in found if not path.startswith(allowed)] == []
    assert installed.machine.sh(f"systemctl list-units --all --no-legend '{installed.slug}-*'").stdout.strip() == ""
