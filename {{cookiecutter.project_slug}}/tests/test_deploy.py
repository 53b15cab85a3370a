"""Compose, systemd and the code are consistent: queues, commands, timeouts and variables."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml

from {{ cookiecutter.project_slug }} import health
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.settings import Environment
from {{ cookiecutter.project_slug }}.signals import WARM_SHUTDOWN

ROOT = Path(__file__).parent.parent
SYSTEMD = ROOT / "deploy" / "systemd"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SLUG = "{{ cookiecutter.project_slug }}"


def read_variables(file: Path) -> dict[str, str]:
    """Return the variables in a file of NAME=value lines. The last line of a name takes precedence."""
    return dict(re.findall(r"^(\w+)=(.*)$", file.read_text(), flags=re.MULTILINE))


def interpolate(text: object) -> str:
    """Replace `${NAME:-default}` with its default, as Compose does for an unset variable."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(text))


EXAMPLE = read_variables(ROOT / ".env.example")
APPS = {name: service for name, service in SERVICES.items() if "IMAGE:-" in service.get("image", "")}
WORKERS = {name: service for name, service in APPS.items() if " worker " in service["command"]}


def list_unit_files(service: str) -> list[Path]:
    """Return the systemd unit of a service of compose.yaml, and the drop-ins that apply to it."""
    unit = SYSTEMD / f"{SLUG}-{service}{'@' if service in WORKERS else ''}.service"
    drop_ins = sorted(SYSTEMD.glob("*-.service.d/*.conf"))
    return [unit, *(file for file in drop_ins if unit.name.startswith(file.parent.name.removesuffix(".service.d")))]


def read_unit(service: str) -> dict[str, str]:
    """Return the settings of the unit of a service."""
    return {name: value for file in list_unit_files(service) for name, value in read_variables(file).items()}


def read_unit_environment(service: str) -> dict[str, str]:
    """Return the environment variables that the unit of a service sets."""
    text = "\n".join(file.read_text() for file in list_unit_files(service))
    lines = re.findall(r"^Environment=(.*)$", text, flags=re.MULTILINE)
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(lines)))


def read_unit_command(service: str) -> list[str]:
    """Return the command of the unit, without the number of the instance, which Compose does not use."""
    text = read_unit(service)["ExecStart"].replace("-%i@", "@").replace("%S", "/var/lib").replace("%%", "%")
    template = Template(text.replace(f"/opt/{SLUG}/current/bin/", ""))
    return shlex.split(template.substitute(read_unit_environment(service)))


def list_queues(*commands: str) -> list[str]:
    """Return the queues of the workers with these commands, where `-Q a,b` is two queues."""
    return sorted(",".join(name for text in commands for name in re.findall(r'-Q,? "?([^\s"]+\w)', text)).split(","))


def test_every_queue_has_one_worker_in_compose() -> None:
    assert list_queues(*(service["command"] for service in WORKERS.values())) == sorted(QueueName), (
        f"compose.yaml: for a new queue, copy the service {next(iter(WORKERS))}, and change the queue in the copy"
    )


@pytest.mark.parametrize("name", WORKERS)
def test_compose_can_run_several_instances_of_a_worker(name: str) -> None:
    # A container name, a host port or a host name can belong to one instance only.
    assert not WORKERS[name].keys() & {"container_name", "hostname", "network_mode", "ports"}
    (node,) = re.findall(r" -n (\S+)", WORKERS[name]["command"])
    assert node.endswith("@%h")


def test_the_image_consumes_every_queue_by_default() -> None:
    (command,) = re.findall(r"^CMD (.*)$", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    assert json.loads(command) == ["celery", "-q", "-A", f"{SLUG}.celery_app", "worker"]
    assert sorted(app.amqp.queues.consume_from) == sorted(QueueName)
{% if plan().features.kubernetes %}


def test_every_queue_has_one_worker_in_kubernetes() -> None:
    folder = ROOT / "deploy" / "kubernetes"
    base = yaml.safe_load((folder / "base" / "kustomization.yaml").read_text())["resources"]
    workers = [each.removeprefix("../") for each in base if each.startswith("../workers/")]
    files = [(folder / each / "kustomization.yaml").read_text() for each in workers]
    assert list_queues(*files) == sorted(QueueName), (
        f"deploy/kubernetes: for a new queue, copy the directory {workers[0]}, change the queue in the copy, "
        "and add the directory to base/kustomization.yaml"
    )
{% endif %}
{% if plan().features.kubernetes_monitoring %}


def test_kubernetes_has_the_alert_rules() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "monitoring" / "rules.yaml").read_text())
    copy = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "monitoring" / "prometheus-rule.yaml").read_text())
    assert copy["spec"] == rules, "run `make prometheus-rule`"
{% endif %}


def test_every_queue_has_one_worker_in_systemd() -> None:
    units = [file.read_text() for file in SYSTEMD.glob(f"{SLUG}-worker-*.service")]
{% if plan().features.monitoring %}
    changes = "the queue and the port of METRICS_ADDRESS"
{% else %}
    changes = "the queue"
{% endif %}
    assert list_queues(*units) == sorted(QueueName), (
        f"deploy/systemd: for a new queue, copy {SLUG}-{next(iter(WORKERS))}@.service, and change {changes} in the copy"
    )


@pytest.mark.parametrize("name", WORKERS)
def test_instances_of_a_worker_on_one_host_have_different_names_and_addresses(name: str) -> None:
    assert "-%i@" in re.findall(r" -n (\S+)", read_unit(name)["ExecStart"])[0]
{% if plan().features.monitoring %}
    assert "%i" in read_unit_environment(name)["METRICS_ADDRESS"]
{% endif %}


def test_celery_prints_no_banner() -> None:
    commands = [shlex.split(service["command"]) for service in APPS.values()]
    assert {tuple(words[:2]) for words in commands if words[0] == "celery"} == {("celery", "-q")}


def test_containers_listen_at_ipv6_addresses_too() -> None:
    files = [ROOT / "compose.yaml", *(ROOT / "deploy").rglob("*.yaml"), *(ROOT / "deploy").rglob("*.env")]
    assert not [file for file in files if re.search(r"0\.0\.0\.0(?!/0)", file.read_text())]


@pytest.mark.parametrize("name", APPS)
def test_systemd_runs_the_commands_of_compose(name: str) -> None:
    # Services listen on the loopback address of a host, and on all addresses of a container.
    everywhere = re.sub(r" -b 127\.0\.0\.1:8000|127\.0\.0\.1", "", shlex.join(read_unit_command(name)))
    assert shlex.split(everywhere) == shlex.split(interpolate(APPS[name]["command"]))


def test_the_installer_installs_the_locked_packages_and_every_unit() -> None:
    if not (ROOT / "uv.lock").exists():
        pytest.skip("uv.lock is missing: run make lock")
    ran = subprocess.run([SYSTEMD / "install.sh", "--dry-run"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    commands = [line.removeprefix("+ ").split() for line in ran.stdout.splitlines() if line.startswith("+ ")]
    assert any("sync" in words and "--locked" in words for words in commands)
    (copied,) = (words for words in commands if words[:1] == ["cp"] and f"{SYSTEMD}/{SLUG}.target" in words)
    assert {str(file) for file in SYSTEMD.glob(f"{SLUG}-*.service")} <= set(copied)
    assert ["systemctl", "daemon-reload"] in commands
    assert "_PASSWORD=" not in ran.stdout, "the passwords of Compose are not settings"


@pytest.mark.parametrize("name", APPS)
def test_systemd_has_the_limits_of_compose(name: str) -> None:
    assert read_unit(name)["MemoryMax"].lower() == APPS[name]["mem_limit"]
    if stop := read_unit(name).get("TimeoutStopSec"):
        assert APPS[name]["stop_grace_period"] == f"{stop}s"


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_replaces_its_processes_before_they_reach_its_limit(name: str) -> None:
    words = shlex.split(interpolate(WORKERS[name]["command"]))
    processes = words[words.index("-c") + 1]
    if "prefork" in words and processes != "auto":
        limit = int(WORKERS[name]["mem_limit"].removesuffix("m")) * 1024
        assert limit > int(processes) * app.conf.worker_max_memory_per_child


def test_a_task_with_a_rate_limit_has_a_queue_and_a_worker_of_concurrency_1() -> None:
    # A task that waits for its rate limit blocks its queue. With several processes, Celery starts one task per second.
    app.loader.import_default_modules()
    own = {name: task for name, task in app.tasks.items() if name.startswith(SLUG)}
    queues = {name: str(app.amqp.router.route({}, name)["queue"].name) for name in own}
    commands = [f"{interpolate(worker['command'])} " for worker in WORKERS.values()]
    for name, queue in queues.items():
        if own[name].rate_limit:
            advice = f"{name} has a rate_limit: give it a queue without other tasks, whose worker has the concurrency 1"
            assert list(queues.values()).count(queue) == 1, advice
            assert any(f" -Q {queue} " in command and " -c 1 " in command for command in commands), advice


@pytest.mark.parametrize("name", WORKERS)
def test_a_stopping_worker_has_requeued_its_tasks_before_it_is_killed(name: str) -> None:
    assert int(WORKERS[name]["stop_grace_period"].removesuffix("s")) >= WARM_SHUTDOWN + 10


def test_a_waiting_worker_is_not_restarted() -> None:
    silent = health.HEARTBEAT_TIMEOUT + 2 * health.REPORT_INTERVAL
    assert silent < health.MAX_FILE_AGE
    assert all(int(read_unit(name)["WatchdogSec"]) > silent for name in WORKERS)


def test_every_service_has_a_memory_limit_and_its_logs_are_rotated() -> None:
    everything: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    for name, service in everything.items():
        assert service["mem_limit"], name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name


def test_tasks_have_limits() -> None:
    assert 0 < app.conf.task_soft_time_limit < app.conf.task_time_limit


def test_urls_name_servers_of_compose_and_their_passwords() -> None:
    for user, password, host in re.findall(r"//(\w*):\$\{(\w+)\}@([\w.-]+):\d+", "\n".join(EXAMPLE.values())):
        settings = SERVICES[host]["environment"]
        assert any(str(value).startswith("${" + password + ":?") for value in settings.values())
        assert password in EXAMPLE
        assert user in {"", *settings.values()}
        assert all(host in worker["depends_on"] for worker in WORKERS.values())


def test_the_variables_of_compose_are_in_the_example_environment() -> None:
    required = re.findall(r"\$\{(\w+)(?::\?|\})", (ROOT / "compose.yaml").read_text())
    assert set(required) <= EXAMPLE.keys()


def test_ports_are_open_to_this_machine_only() -> None:
    ports = [interpolate(port) for service in SERVICES.values() for port in service.get("ports", [])]
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_the_image_is_built_on_one_python_and_has_one_name() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert len(set(re.findall(r"^FROM (\S+)", dockerfile, flags=re.MULTILINE))) == 1
    (built,) = re.findall(r"docker build --tag (\S+)", (ROOT / "Makefile").read_text())
    images = {interpolate(service["image"]) for service in APPS.values()}
    assert built in images
    # The suffix of an image is the name of its additional packages.
    assert all(f"{image}-".startswith(f"{built}-") for image in images)


def test_the_dev_container_has_the_python_of_the_image_and_its_command_exists() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    _, _, version = container["image"].partition(":")
    assert f"FROM python:{version}-" in (ROOT / "Dockerfile").read_text()
    program, target = container["postCreateCommand"].split()
    assert program == "make"
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    interpreter = container["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    assert interpreter == container["containerEnv"]["UV_PROJECT_ENVIRONMENT"] + "/bin/python"


def test_the_example_environment_contains_all_variables() -> None:
    own = [name for name in EXAMPLE if not name.endswith("_PASSWORD")]  # variables of Compose
    assert sorted(own) == sorted(name.upper() for name in Environment.model_fields)
