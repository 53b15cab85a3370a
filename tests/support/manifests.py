"""Kubernetes' objects, validated against the schemas of Kubernetes, KEDA and the Prometheus Operator."""

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

# The first that knows all that we use, and the newest that kubernetes-validate knows.
VERSIONS = ("1.30", "1.37")

# Models made from the custom resource definitions, by their API version. The second takes five seconds to import.
MODELS = {
    "keda.sh/v1alpha1": "cloudcoil.models.keda.v1alpha1",
    "monitoring.coreos.com/v1": "cloudcoil.models.prometheus_operator.v1",
}


def kustomize(folder: Path) -> list[dict[str, Any]]:
    """Return the objects that `kubectl kustomize` renders from a folder; it must not warn.

    Raises:
        AssertionError: kubectl failed or printed a warning; the message holds it.
    """
    assert KUBECTL
    ran = subprocess.run(
        [KUBECTL, "kustomize", folder],
        env={"PATH": os.defpath, "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return list(yaml.load_all(ran.stdout, yaml.CSafeLoader))


def assert_valid(objects: Iterable[dict[str, Any]]) -> None:
    """Check that there are objects, and that each is what the schemas say, with nothing that they do not know.

    Raises:
        AssertionError: one is not; the message names it.
    """
    problems = {each["metadata"]["name"]: problem_of(json.dumps(each, sort_keys=True)) for each in objects}
    assert problems
    assert not any(problems.values()), {name: problem for name, problem in problems.items() if problem}


@cache
def problem_of(written: str) -> str:
    """What is wrong with an object, in JSON; "" if nothing. Variants share most of them."""
    document = json.loads(written)
    try:
        if document["apiVersion"] in MODELS:
            model = getattr(import_module(MODELS[document["apiVersion"]]), document["kind"])
            read = model.model_validate(document).model_dump(by_alias=True, exclude_unset=True, mode="json")
            # The model drops what it does not know.
            return "" if read == document else f"not all of it is known: {read}"
        for version in VERSIONS:
            kubernetes_validate.validate(document, version, strict=True)
    except (ValueError, kubernetes_validate.ValidationError, kubernetes_validate.InvalidSchemaError) as error:
        return str(error)
    return ""
