"""The manifests rendered by `kubectl kustomize`: consistent with Compose, the code and each other."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

{% if plan().features.redis %}
from {{ cookiecutter.project_slug }}.celery_app import app
{% endif %}
from {{ cookiecutter.project_slug }}.settings import Environment
from {{ cookiecutter.project_slug }}.signals import WARM_SHUTDOWN
{% if plan().features.sqs %}
from {{ cookiecutter.project_slug }}.sqs import build_predefined_queues
{% endif %}

ROOT = Path(__file__).parent.parent
KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
KUBECTL = shutil.which("kubectl")

pytestmark = pytest.mark.skipif(not KUBECTL, reason="kubectl is not installed")


@cache
def render_objects(overlay: str = "production") -> list[dict[str, Any]]:
    """Return the objects of an overlay, or none without kubectl."""
    if not KUBECTL:
        return []
    command = [KUBECTL, "kustomize", str(KUBERNETES / "overlays" / overlay)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return list(yaml.safe_load_all(ran.stdout))


def list_specs(kind: str, overlay: str = "production") -> dict[str, dict[str, Any]]:
    """Return the specifications of the objects of a kind, by name."""
    return {each["metadata"]["name"]: each["spec"] for each in render_objects(overlay) if each["kind"] == kind}


def read_variables(name: str) -> dict[str, str]:
    """Return the variables in a file."""
    lines = (KUBERNETES / name).read_text().splitlines()
    return dict(line.split("=", maxsplit=1) for line in lines if line and not line.startswith("#"))


def get_container(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the container of the pods of a Deployment or Job."""
    (container,) = spec["template"]["spec"]["containers"]
    return dict(container)


def get_command(spec: dict[str, Any]) -> list[str]:
    """Return the command of the container of a Deployment or Job."""
    return [*get_container(spec)["command"], *get_container(spec).get("args", [])]


def get_ports(spec: dict[str, Any]) -> dict[str, int]:
    """Return the ports of the container of a Deployment or Job, by name."""
    return {port["name"]: port["containerPort"] for port in get_container(spec).get("ports", [])}


def read_compose_services() -> dict[str, dict[str, Any]]:
    """Return the services of compose.yaml that run this project's code, by command, with the defaults of variables."""
    text = re.sub(r"(?<!\$)\$\{\w+:-([^}]*)\}", r"\1", (ROOT / "compose.yaml").read_text())
    services = {name: each for name, each in yaml.safe_load(text)["services"].items() if "env_file" in each}
{% if plan().features.flower %}
    del services["flower"]  # not on Kubernetes
{% endif %}
    return {each["command"]: each for each in services.values()}


SERVICES = read_compose_services()
DEPLOYMENTS = list_specs("Deployment")
JOBS = list_specs("Job")
SCALED = list_specs("ScaledObject")
POLICIES = list_specs("NetworkPolicy").values()
WORKERS = {name: spec for name, spec in DEPLOYMENTS.items() if "worker" in get_command(spec)}
every_deployment = pytest.mark.parametrize("spec", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
every_worker = pytest.mark.parametrize("name", WORKERS)


def test_kubernetes_runs_the_commands_of_compose() -> None:
    commands = [" ".join(get_command(spec)) for spec in (DEPLOYMENTS | JOBS).values()]
    assert sorted(commands) == sorted(SERVICES)


@every_deployment
def test_a_pod_stops_within_the_grace_period_of_compose(spec: dict[str, Any]) -> None:
    service = SERVICES[" ".join(get_command(spec))]
    before_sigterm = get_container(spec).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    seconds = spec["template"]["spec"]["terminationGracePeriodSeconds"]
    assert seconds == before_sigterm + int(service["stop_grace_period"].removesuffix("s"))


@every_deployment
def test_image_and_port_are_those_of_compose(spec: dict[str, Any]) -> None:
    service = SERVICES[" ".join(get_command(spec))]
    assert get_container(spec)["image"].rpartition("/")[2].split(":")[0] == service["image"]
    published = [int(port.rpartition(":")[2]) for port in service.get("ports", [])]
    assert [port for name, port in get_ports(spec).items() if name == "http"] == published


@every_worker
def test_a_worker_is_killed_only_after_it_has_requeued_its_tasks(name: str) -> None:
    assert WORKERS[name]["template"]["spec"]["terminationGracePeriodSeconds"] >= WARM_SHUTDOWN + 10


@every_worker
def test_keda_scales_a_worker_by_the_length_of_its_queues(name: str) -> None:
    command = get_command(WORKERS[name])
    queues = command[command.index("-Q") + 1].split(",")
    assert SCALED[name]["scaleTargetRef"] == {"name": name}
    assert SCALED[name]["minReplicaCount"] > 0  # a worker moves scheduled tasks, which KEDA does not count
    for queue, trigger in zip(queues, SCALED[name]["triggers"], strict=True):
        metadata = trigger["metadata"]
{% if plan().features.redis %}
        assert metadata["listName"] == app.conf.broker_transport_options.get("global_keyprefix", "") + queue
        database = urlsplit(read_variables("secrets.env.example")["CELERY_BROKER_URL"]).path
        assert metadata["databaseIndex"] == database.removeprefix("/")
        assert int(metadata["listLength"]) > 0
{% elif plan().features.rabbitmq %}
        assert metadata["queueName"] == queue
        assert metadata["hostFromEnv"] in read_variables("secrets.env.example")
        assert int(metadata["value"]) > 0
{% elif plan().features.sqs %}
        prefix = read_variables("base/config.env")["SQS_QUEUE_URL_PREFIX"]
        own = {each["name"]: each["value"] for each in get_container(WORKERS[name])["env"]}
        url = own[metadata["queueURLFromEnv"]].replace("$(SQS_QUEUE_URL_PREFIX)", prefix)
        assert url == build_predefined_queues(prefix)[queue]["url"]
        assert int(metadata["queueLength"]) > 0
{% endif %}
{% if plan().features.kubernetes_redis or plan().features.kubernetes_sqs %}


def test_keda_reads_the_variables_of_its_secret() -> None:
    authentication = list_specs("TriggerAuthentication")["broker"]
    used = authentication["secretTargetRef"]
    assert {each["key"] for each in used} == read_variables("keda.env.example").keys()
    assert {each["name"] for each in used} == {"keda"}
    assert {each["name"] for each in authentication.get("env", [])} <= read_variables("base/config.env").keys()
{% endif %}


def test_keda_or_an_overlay_sets_the_number_of_workers() -> None:
    assert SCALED.keys() == WORKERS.keys()
    assert not [name for name, spec in WORKERS.items() if "replicas" in spec]
    assert list_specs("Deployment", "staging").keys() == DEPLOYMENTS.keys()
    assert not [each["kind"] for each in render_objects("staging") if each["apiVersion"].startswith("keda.sh/")]
{% if plan().features.monitoring %}


def test_prometheus_scrapes_every_pod() -> None:
    port = int(read_variables("base/config.env")["METRICS_ADDRESS"].rpartition(":")[2])
    (monitor,) = list_specs("PodMonitor").values()
    (endpoint,) = monitor["podMetricsEndpoints"]
    scraped = {
        name
        for name, spec in DEPLOYMENTS.items()
        if monitor["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
        and get_ports(spec).get(endpoint["port"]) == port
    }
{% if plan().features.outbox %}
    assert scraped == DEPLOYMENTS.keys() - {"outbox"}  # the exporter has its metrics
{% else %}
    assert scraped == DEPLOYMENTS.keys()
{% endif %}
    allowed = [port["port"] for policy in POLICIES for rule in policy.get("ingress", []) for port in rule["ports"]]
    assert endpoint["port"] in allowed


def test_prometheus_evaluates_the_alert_rules() -> None:
    (rule,) = list_specs("PrometheusRule").values()
    assert rule["groups"]
{% endif %}


def test_every_variable_is_set_once() -> None:
    config, secrets = read_variables("base/config.env"), read_variables("secrets.env.example")
    assert not config.keys() & secrets.keys()
    assert sorted(config | secrets) == sorted(name.upper() for name in Environment.model_fields)
    assert config["HEARTBEAT_FILE"].startswith("/tmp/")  # noqa: S108  # the writable file system


def test_no_password_has_a_default() -> None:
    for name, value in read_variables("secrets.env.example").items():
        assert "_KEY" not in name or not value
        assert urlsplit(value).password in (None, "CHANGE_ME")
    assert "Secret" not in {each["kind"] for overlay in OVERLAYS for each in render_objects(overlay)}


@every_deployment
def test_a_deployment_has_a_budget_and_policies(spec: dict[str, Any]) -> None:
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == labels
    budgets = list_specs("PodDisruptionBudget").values()
    found = [budget["maxUnavailable"] for budget in budgets if budget["selector"]["matchLabels"] == labels]
    assert found == ([] if spec.get("replicas") == 1 else [1])
    allowing = [each for each in POLICIES if each["podSelector"].get("matchLabels") == labels and each["ingress"]]
    assert len(allowing) == len(get_ports(spec).keys() & {"http"})


def test_other_connections_are_denied() -> None:
    denials = [policy for policy in POLICIES if not policy.keys() & {"ingress", "egress"}]
    assert denials == [{"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}]


def test_pods_may_connect_to_every_server() -> None:
    allowed = {
        port["port"]
        for policy in POLICIES
        for rule in policy.get("egress", [])
        for port in rule["ports"]
        if policy["podSelector"] == {}
    }
    urls = [urlsplit(value) for value in read_variables("secrets.env.example").values()]
    assert {53, 443, *(url.port for url in urls if url.port)} <= allowed


@pytest.mark.parametrize("name", DEPLOYMENTS | JOBS)
def test_a_pod_meets_the_restricted_profile(name: str) -> None:
    pod = (DEPLOYMENTS | JOBS)[name]["template"]["spec"]
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


def test_each_overlay_has_its_own_namespace() -> None:
    metadata = [[each["metadata"] for each in render_objects(overlay)] for overlay in OVERLAYS]
    found = [{each.get("namespace", each["name"]) for each in overlay} for overlay in metadata]
    assert [len(namespaces) for namespaces in found] == [1] * len(OVERLAYS)
    assert len(set.union(*found)) == len(OVERLAYS)
