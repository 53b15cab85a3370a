"""The Kubernetes manifests that `kubectl kustomize` renders."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.manifests import assert_valid, find_problem, render_kustomization
from tests.support.variants import DEPENDENCIES, all_variants, cover_answers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bakery import Bakery
    from tests.support.project import BakedProject
    from tests.support.variants import Variant

pytestmark = [pytest.mark.static, pytest.mark.kubectl]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize `variant` with the variants that cover the manifests."""
    if "variant" in metafunc.fixturenames:
        metafunc.parametrize("variant", kustomize_variants(), ids=str)


def kustomize_variants() -> list[Variant]:
    """Return variants that cover each answer to the questions that change the manifests."""
    return cover_answers(
        [variant for variant in all_variants() if variant.answers["kubernetes"]], [*DEPENDENCIES, "monitoring"]
    )


def rendered(project: BakedProject, overlay: str) -> list[dict[str, Any]]:
    """Return the objects of an overlay."""
    return render_kustomization(project.path / "deploy" / "kubernetes" / "overlays" / overlay)


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Return the objects of a kind by name."""
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def test_an_invalid_object_is_detected() -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "x"}}
    assert not find_problem(json.dumps(account))
    assert find_problem(json.dumps({**account, "automount": False}))


def test_an_invalid_object_of_keda_is_detected() -> None:
    scaled = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "x"},
        "spec": {"scaleTargetRef": {"name": "x"}, "triggers": [{"type": "redis", "metadata": {"listLength": "5"}}]},
    }
    assert not find_problem(json.dumps(scaled))
    assert find_problem(json.dumps(scaled).replace('"5"', "5"))
    assert find_problem(
        json.dumps(scaled).replace("listLength", "x").replace('"triggers"', '"maxReplicas": 1, "triggers"')
    )


def test_an_invalid_object_of_the_prometheus_operator_is_detected() -> None:
    monitor = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"name": "x"},
        "spec": {"selector": {"matchLabels": {"x": "y"}}, "podMetricsEndpoints": [{"port": "metrics"}]},
    }
    assert not find_problem(json.dumps(monitor))
    assert find_problem(json.dumps(monitor).replace("podMetricsEndpoints", "endpoints"))
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "x"},
        "spec": {"groups": [{"name": "x", "rules": [{"alert": "X", "expr": "up < 1", "for": "5m"}]}]},
    }
    assert not find_problem(json.dumps(rule))
    assert find_problem(json.dumps(rule).replace('"expr"', '"expression"'))


@pytest.mark.parametrize("overlay", ["staging", "production"])
def test_an_overlay_is_valid(variant: Variant, overlay: str, bake: Bakery) -> None:
    project = bake(**variant.answers)
    objects = rendered(project, overlay)

    assert_valid(objects)
    namespace = f"{project.slug.replace('_', '-')}-{overlay}"
    names = {(each["kind"], each["metadata"].get("namespace", "")) for each in objects}
    assert {where for kind, where in names if kind != "Namespace"} == {namespace}
    assert list(of_kind(objects, "Namespace")) == [namespace]
    pods = [each["spec"]["template"]["spec"] for each in objects if each["kind"] in {"Deployment", "Job"}]
    containers = [one for pod in pods for one in (*pod["containers"], *pod.get("initContainers", []))]
    assert {one["image"] for one in containers} == {f"registry.example.com/{project.slug.replace('_', '-')}:0.1.0"}
    # A changed variable changes the name of the ConfigMap, which restarts the pods.
    (config,) = of_kind(objects, "ConfigMap")
    assert config.startswith("settings-")
    assert all(one["envFrom"][0]["configMapRef"]["name"] == config for one in containers)


def test_each_queue_adds_a_worker_with_its_resources(bake: Bakery) -> None:
    queues = "high_priority:8, web-hooks:auto, crawl:50@gevent"
    objects = rendered(bake(kubernetes=True, broker="rabbitmq", queues=queues), "production")
    workers = {name: each["spec"] for name, each in of_kind(objects, "Deployment").items() if "worker" in name}
    found = {
        name: (" ".join(container["args"]), container["resources"]["limits"])
        for name, spec in workers.items()
        for container in spec["template"]["spec"]["containers"]
    }
    assert found == {
        "worker-high-priority": (
            "-Q high_priority -n high_priority@%h -c 8 -P prefork",
            {"cpu": "1", "memory": "1664Mi"},
        ),
        "worker-web-hooks": ("-Q web-hooks -n web-hooks@%h -c auto -P prefork", {"cpu": "4", "memory": "896Mi"}),
        "worker-crawl": (
            "-Q crawl -n crawl@%h -c 50 -P gevent --without-gossip --without-heartbeat",
            {"cpu": "1", "memory": "512Mi"},
        ),
    }
    # The objects of a worker select only its pods.
    for name, spec in workers.items():
        labels = {"app.kubernetes.io/name": "background-jobs", "app.kubernetes.io/component": name}
        assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"] == labels
        assert of_kind(objects, "PodDisruptionBudget")[name]["spec"]["selector"]["matchLabels"] == labels
        assert of_kind(objects, "ScaledObject")[name]["spec"]["scaleTargetRef"] == {"name": name}
    triggers = {name: each["spec"]["triggers"][0] for name, each in of_kind(objects, "ScaledObject").items()}
    lengths = {name: trigger["metadata"]["value"] for name, trigger in triggers.items()}
    assert lengths == {"worker-high-priority": "80", "worker-web-hooks": "40", "worker-crawl": "500"}


@pytest.mark.parametrize("broker", ["redis", "rabbitmq", "sqs"])
def test_monitoring_adds_the_exporter_and_the_objects_of_the_prometheus_operator(broker: str, bake: Bakery) -> None:
    objects = rendered(bake(kubernetes=True, monitoring=True, broker=broker), "production")

    assert "exporter" in of_kind(objects, "Deployment")
    (monitor,) = of_kind(objects, "PodMonitor").values()
    (rule,) = of_kind(objects, "PrometheusRule").values()
    assert monitor["metadata"]["labels"] == rule["metadata"]["labels"] == {"release": "kube-prometheus-stack"}
    alerts = [each for group in rule["spec"]["groups"] for each in group["rules"]]
    assert len(alerts) > 5
    assert all(each["alert"] and each["expr"] for each in alerts)


def test_without_monitoring_nothing_exports_or_scrapes_metrics(bake: Bakery) -> None:
    objects = rendered(bake(kubernetes=True, monitoring=False), "production")

    assert "exporter" not in of_kind(objects, "Deployment")
    assert not [each for each in objects if each["apiVersion"].startswith("monitoring.")]
    assert "metrics" not in json.dumps(objects)


def test_make_prometheus_rule_copies_changed_rules(bake: Bakery, tmp_path: Path) -> None:
    project = bake(kubernetes=True).copy_to(tmp_path)
    rules = project.path / "deploy" / "monitoring" / "rules.yaml"
    rules.write_text(rules.read_text(encoding="utf-8").replace("for: 5m", "for: 7m"), encoding="utf-8")
    project.run("make", "prometheus-rule")

    (rule,) = of_kind(rendered(project, "production"), "PrometheusRule").values()
    assert rule["spec"] == yaml.safe_load(rules.read_text(encoding="utf-8"))
    assert "7m" in json.dumps(rule)


def test_django_pods_start_after_the_migrations(bake: Bakery) -> None:
    project = bake(kubernetes=True, framework="django", beat_scheduler="database")
    deployments = of_kind(rendered(project, "production"), "Deployment")
    assert len(deployments) == 6
    for each in deployments.values():
        (before,) = each["spec"]["template"]["spec"]["initContainers"]
        assert "django migrate --check" in before["command"][-1]


@pytest.mark.parametrize(("scheduler", "replicas"), [("file", 1), ("database", 1), ("redbeat", 2)])
def test_only_redbeat_runs_several_beat_instances(scheduler: str, replicas: int, bake: Bakery) -> None:
    project = bake(kubernetes=True, framework="django", beat_scheduler=scheduler)
    beat = of_kind(rendered(project, "production"), "Deployment")["beat"]["spec"]
    assert beat["replicas"] == replicas
    assert beat["strategy"].get("type", "RollingUpdate") == ("Recreate" if replicas == 1 else "RollingUpdate")
