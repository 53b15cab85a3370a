"""The container images of a project.

Dependabot cannot read this module: it updates `.github/pins/compose.yaml`, and `make pins` copies the versions here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Image:
    """A container image.

    Attributes:
        name: Its name in the registry.
        pin: A version and its digest.
        tag: A tag that follows new releases, for files without a bot. By default the version.
    """

    name: str
    pin: str
    tag: str = ""


IMAGES = {
    "redis": Image(
        "redis",
        "8.10.2-alpine@sha256:72cedd9603038893af961e90ac5e1a1a0d8377d5e338dbdad8fe284ea25de18f",
        "8-alpine",
    ),
    "rabbitmq": Image(
        "rabbitmq",
        "4.3.6-management-alpine@sha256:ff7352f631348acca9d202c3b69dc06998c4ee1a769febc08f59aaa9f117130b",
        "4-management-alpine",
    ),
    "postgres": Image(
        "postgres",
        "18.6-alpine@sha256:77f585114c32fbca283dc835b0596f4e52b51b4c6662d7810b2f4084f60a1873",
        "18-alpine",
    ),
    "prometheus": Image(
        "prom/prometheus",
        "v3.7.3@sha256:49214755b6153f90a597adcbff0252cc61069f8ab69ce8411285cd4a560e8038",
    ),
    "grafana": Image(
        "grafana/grafana",
        "12.2.1@sha256:35c41e0fd0295f5d0ee5db7e780cf33506abfaf47686196f825364889dee878b",
    ),
}


def format_tags() -> dict[str, str]:
    """Return each image with its tag, by its short name."""
    return {name: f"{image.name}:{image.tag or image.pin.partition('@')[0]}" for name, image in IMAGES.items()}


def format_pins() -> dict[str, str]:
    """Return each image with its version and digest, by its short name."""
    return {name: f"{image.name}:{image.pin}" for name, image in IMAGES.items()}
