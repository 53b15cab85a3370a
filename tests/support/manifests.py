"""Validation of Kubernetes objects with the schemas of Kubernetes, KEDA and the Prometheus Operator."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

KUBECTL = shutil.which("kubectl")

# The oldest version with all used fields, and the newest version in kubernetes-validate.
VERSIONS = ("1.30", "1.37")

# Models of the custom resource definitions by API version. The import of the second takes five seconds.
MODELS = {
    "keda.sh/v1alpha1": "cloudcoil.models.keda.v1alpha1",
    "monitoring.coreos.com/v1": "cloudcoil.models.prometheus_operator.v1",
}


def render_kustomization(folder: Path) -> list[dict[str, Any]]:
    """Return the objects that `kubectl kustomize` renders from a folder.

    Raises:
        AssertionError: kubectl failed or printed a warning.
    """
    assert KUBECTL
    completed = subprocess.run(
        [KUBECTL, "kustomize", folder],
        env={"PATH": os.defpath, "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (completed.returncode, completed.stderr) == (0, "")
    return list(yaml.load_all(completed.stdout, yaml.CSafeLoader))


def assert_valid(objects: Iterable[dict[str, Any]]) -> None:
    """Assert that there are objects, and that each is valid without unknown fields.

    Raises:
        AssertionError: An object is invalid. The message contains its name.
    """
    problems = {each["metadata"]["name"]: find_problem(json.dumps(each, sort_keys=True)) for each in objects}
    assert problems
    assert not any(problems.values()), {name: problem for name, problem in problems.items() if problem}


@cache
def find_problem(text: str) -> str:
    """Return the problem of an object in JSON, or "". Cached, because variants share most objects."""
    document = json.loads(text)
    try:
        if document["apiVersion"] in MODELS:
            model = getattr(import_module(MODELS[document["apiVersion"]]), document["kind"])
            validated = model.model_validate(document).model_dump(by_alias=True, exclude_unset=True, mode="json")
            # The model drops unknown fields.
            return "" if validated == document else f"it has unknown fields: {validated}"
        for version in VERSIONS:
            kubernetes_validate.validate(document, version, strict=True)
    except (ValueError, kubernetes_validate.ValidationError, kubernetes_validate.InvalidSchemaError) as error:
        return str(error)
    return ""
