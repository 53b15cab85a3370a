"""Kubernetes' objects, held against the schemas of Kubernetes and of KEDA."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import yaml
from cloudcoil.models.keda import v1alpha1 as keda

if TYPE_CHECKING:
    from collections.abc import Iterable

# The first that knows all that we use, and the newest that kubernetes-validate knows.
VERSIONS = ("1.30", "1.37")


def objects_in(*texts: str) -> list[dict[str, Any]]:
    """The objects of YAML files, but for kustomize's own."""
    documents = [document for text in texts for document in yaml.load_all(text, yaml.CSafeLoader)]
    return [document for document in documents if document["kind"] not in {"Component", "Kustomization"}]


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
        if document["apiVersion"].startswith("keda.sh/"):
            model = getattr(keda, document["kind"])
            read = model.model_validate(document).model_dump(by_alias=True, exclude_unset=True, mode="json")
            # The model drops what it does not know.
            return "" if read == document else f"not all of it is known: {read}"
        for version in VERSIONS:
            kubernetes_validate.validate(document, version, strict=True)
    except (ValueError, kubernetes_validate.ValidationError, kubernetes_validate.InvalidSchemaError) as error:
        return str(error)
    return ""
