"""Kubernetes' manifests, as kustomize puts them together; test_static.py holds each file against the schemas."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.manifests import assert_valid, objects_in, problem_of
from tests.support.variants import DEPENDENCIES, all_variants, covering

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bakery import Bakery
    from tests.support.project import BakedProject
    from tests.support.variants import Variant

pytestmark = pytest.mark.static

FOLDER = "deploy/kubernetes"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test with `variant` as many as show every answer that matters here."""
    if "variant" in metafunc.fixturenames:
        metafunc.parametrize("variant", kustomized(), ids=str)


def kustomized() -> list[Variant]:
    """Variants in which every framework, broker, result backend and scheduler occurs."""
    return covering([variant for variant in all_variants() if variant.answers["kubernetes"]], DEPENDENCIES)


def manifests(project: BakedProject) -> list[dict[str, Any]]:
    """The objects of all files."""
    files = [name for name in project.files() if name.startswith(FOLDER) and name.endswith(".yaml")]
    return objects_in(*(project.read(name) for name in files))


def test_a_wrong_object_is_found() -> None:
    pod = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "x"}}
    assert not problem_of(json.dumps(pod))
    assert problem_of(json.dumps({**pod, "automount": False}))
    scaled = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "x"},
        "spec": {"scaleTargetRef": {"name": "x"}, "triggers": [{"type": "redis", "metadata": {"listLength": "5"}}]},
    }
    assert not problem_of(json.dumps(scaled))
    assert problem_of(json.dumps(scaled).replace('"5"', "5"))
    assert problem_of(
        json.dumps(scaled).replace("listLength", "x").replace('"triggers"', '"maxReplicas": 1, "triggers"')
    )


@pytest.mark.kubectl
@pytest.mark.parametrize("overlay", ["staging", "production"])
def test_kustomize_puts_an_overlay_together(variant: Variant, overlay: str, bake: Bakery, tmp_path: Path) -> None:
    project = bake(**variant.answers)
    ran = subprocess.run(
        ["kubectl", "kustomize", project.path / FOLDER / "overlays" / overlay],
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")

    objects = objects_in(ran.stdout)
    assert_valid(objects)
    namespace = f"{project.slug.replace('_', '-')}-{overlay}"
    names = {(each["kind"], each["metadata"].get("namespace", "")) for each in objects}
    assert {where for kind, where in names if kind != "Namespace"} == {namespace}
    assert [each["metadata"]["name"] for each in objects if each["kind"] == "Namespace"] == [namespace]
    pods = [each["spec"]["template"]["spec"] for each in objects if each["kind"] in {"Deployment", "Job"}]
    containers = [one for pod in pods for one in (*pod["containers"], *pod.get("initContainers", []))]
    assert {one["image"] for one in containers} == {f"registry.example.com/{project.slug.replace('_', '-')}:0.1.0"}
    # A change of a variable is another ConfigMap, and so another pod.
    (config,) = (each["metadata"]["name"] for each in objects if each["kind"] == "ConfigMap")
    assert config.startswith("settings-")
    assert all(one["envFrom"][0]["configMapRef"]["name"] == config for one in containers)


def test_nothing_runs_in_django_before_the_migrations(bake: Bakery) -> None:
    project = bake(kubernetes=True, framework="django", beat_scheduler="database")
    deployments = [each for each in manifests(project) if each["kind"] == "Deployment"]
    assert len(deployments) == 5
    for each in deployments:
        (before,) = each["spec"]["template"]["spec"]["initContainers"]
        assert "django migrate --check" in before["command"][-1]


@pytest.mark.parametrize(("scheduler", "replicas"), [("file", 1), ("database", 1), ("redbeat", 2)])
def test_of_several_beats_only_redbeats_may_run(scheduler: str, replicas: int, bake: Bakery) -> None:
    project = bake(kubernetes=True, framework="django", beat_scheduler=scheduler)
    (beat,) = (each["spec"] for each in objects_in(project.read(f"{FOLDER}/base/beat.yaml"))[:1])
    assert beat["replicas"] == replicas
    assert beat["strategy"].get("type", "RollingUpdate") == ("Recreate" if replicas == 1 else "RollingUpdate")


def test_without_kubernetes_nothing_speaks_of_it(bake: Bakery) -> None:
    project = bake(framework="fastapi", kubernetes=False)
    for name in set(project.files()) - {"Dockerfile"}:
        assert "kubernetes" not in project.read(name).lower(), name
