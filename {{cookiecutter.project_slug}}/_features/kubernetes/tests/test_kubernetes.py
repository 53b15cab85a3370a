"""What Kubernetes runs agrees with Compose, with the code, and with itself."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.settings import Environment
from {{ cookiecutter.project_slug }}.signals import WARM_SHUTDOWN

ROOT = Path(__file__).parent.parent
KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())


def read(folder: str) -> dict[str, Any]:
    """A folder's kustomization."""
    kustomization: dict[str, Any] = yaml.safe_load((KUBERNETES / folder / "kustomization.yaml").read_text())
    return kustomization


def variables(name: str) -> dict[str, str]:
    """The variables that a file sets."""
    lines = (KUBERNETES / name).read_text().splitlines()
    return dict(line.split("=", maxsplit=1) for line in lines if not line.startswith("#"))


OBJECTS = [
    document
    for folder in ("base", "keda")
    for name in read(folder)["resources"]
    for document in yaml.safe_load_all((KUBERNETES / folder / name).read_text())
]


def specs(kind: str) -> dict[str, dict[str, Any]]:
    """What the objects of this kind specify, by their names."""
    return {each["metadata"]["name"]: each["spec"] for each in OBJECTS if each["kind"] == kind}


DEPLOYMENTS = specs("Deployment")
JOBS = specs("Job")
POLICIES = specs("NetworkPolicy").values()
every_deployment = pytest.mark.parametrize("spec", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
every_pod = pytest.mark.parametrize(
    "pod", [each["template"]["spec"] for each in (DEPLOYMENTS | JOBS).values()], ids=DEPLOYMENTS | JOBS
)


def command_of(spec: dict[str, Any]) -> list[str]:
    """What its pods run."""
    (container,) = spec["template"]["spec"]["containers"]
    command: list[str] = container["command"]
    return command


def compose_services() -> dict[str, dict[str, Any]]:
    """The services of compose.yaml that run this project's image, by their commands; variables have their defaults."""
    text = re.sub(r"(?<!\$)\$\{\w+:-([^}]*)\}", r"\1", (ROOT / "compose.yaml").read_text())
    services = yaml.safe_load(text)["services"].values()
    return {each["command"]: each for each in services if "env_file" in each and "profiles" not in each}


SERVICES = compose_services()
WORKERS = {name: spec for name, spec in DEPLOYMENTS.items() if "worker" in command_of(spec)}


def test_kubernetes_runs_what_compose_runs() -> None:
    commands = [" ".join(command_of(spec)) for spec in (DEPLOYMENTS | JOBS).values()]
    assert sorted(commands) == sorted(SERVICES)


def test_every_queue_has_one_deployment() -> None:
    commands = [command_of(spec) for spec in WORKERS.values()]
    assert sorted(words[words.index("-Q") + 1] for words in commands) == sorted(QueueName)


def test_every_worker_is_scaled_once() -> None:
    scaled = [spec["scaleTargetRef"]["name"] for spec in specs("ScaledObject").values()]
    assert sorted(scaled) == sorted(WORKERS)


def test_workers_are_killed_only_after_they_have_requeued_their_tasks() -> None:
    graces = [spec["template"]["spec"]["terminationGracePeriodSeconds"] for spec in WORKERS.values()]
    assert min(graces) >= WARM_SHUTDOWN + 10


@every_deployment
def test_a_pod_has_the_time_that_compose_gives_it_and_what_comes_before_sigterm(spec: dict[str, Any]) -> None:
    service = SERVICES[" ".join(command_of(spec))]
    pod = spec["template"]["spec"]
    before = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    assert pod["terminationGracePeriodSeconds"] == before + int(service["stop_grace_period"].removesuffix("s"))


@every_deployment
def test_image_and_port_are_those_of_compose(spec: dict[str, Any]) -> None:
    service = SERVICES[" ".join(command_of(spec))]
    (container,) = spec["template"]["spec"]["containers"]
    assert container["image"] == service["image"]
    published = [int(port.rpartition(":")[2]) for port in service.get("ports", [])]
    assert [port["containerPort"] for port in container.get("ports", [])] == published


def test_every_variable_is_set_once() -> None:
    config, secrets = variables("base/config.env"), variables("secrets.env.example")
    assert not config.keys() & secrets.keys()
    assert sorted(config | secrets) == sorted(name.upper() for name in Environment.model_fields)
    assert config["HEARTBEAT_FILE"].startswith("/tmp/")  # noqa: S108  # where the file system can be written to


def test_no_password_has_a_default() -> None:
    for name, value in variables("secrets.env.example").items():
        assert "_KEY" not in name or not value
        assert urlsplit(value).password in (None, "CHANGE_ME")
    assert "secrets" not in "".join(path.read_text() for path in KUBERNETES.rglob("kustomization.yaml")).lower()


@every_deployment
def test_a_deployment_is_covered_by_a_budget_and_by_policies(spec: dict[str, Any]) -> None:
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == labels
    budgets = specs("PodDisruptionBudget").values()
    assert [budget["maxUnavailable"] for budget in budgets if budget["selector"]["matchLabels"] == labels] == [1]
    (container,) = spec["template"]["spec"]["containers"]
    let_in = [policy for policy in POLICIES if policy["podSelector"].get("matchLabels") == labels and policy["ingress"]]
    assert len(let_in) == len(container.get("ports", []))


def test_what_no_policy_allows_is_denied() -> None:
    denials = [policy for policy in POLICIES if not policy.keys() & {"ingress", "egress"}]
    assert denials == [{"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}]


def test_every_server_may_be_called() -> None:
    allowed = {
        port["port"]
        for policy in POLICIES
        for rule in policy.get("egress", [])
        for port in rule["ports"]
        if policy["podSelector"] == {}
    }
    urls = [urlsplit(value) for value in variables("secrets.env.example").values()]
    assert {53, 443, *(url.port for url in urls if url.port)} <= allowed


@every_pod
def test_a_pod_may_do_no_more_than_the_restricted_profile_allows(pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"] + pod.get("initContainers", []):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"].keys() == {"requests", "limits"}
        assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]  # noqa: S108


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_names_what_is_there(overlay: str) -> None:
    kustomization = read(f"overlays/{overlay}")
    folder = KUBERNETES / "overlays" / overlay
    used = [*kustomization["resources"], *kustomization.get("components", [])]
    assert all((folder / name / "kustomization.yaml").is_file() for name in used)
    images = {spec["template"]["spec"]["containers"][0]["image"] for spec in (DEPLOYMENTS | JOBS).values()}
    assert {image["name"] for image in kustomization["images"]} == images
    counted = {each["name"] for each in kustomization.get("replicas", [])}
    assert counted <= DEPLOYMENTS.keys()
    # KEDA and the overlay would take turns.
    assert not (counted & WORKERS.keys() and "../../keda" in used)


def test_each_environment_has_a_namespace_of_its_own() -> None:
    assert len({read(f"overlays/{overlay}")["namespace"] for overlay in OVERLAYS}) == len(OVERLAYS)
