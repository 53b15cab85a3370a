"""The container images of a project."""

from __future__ import annotations

import re

import pytest

from local_extensions.images import IMAGES
from tests.support.answers import plan_of

PIN = re.compile(r"[\w/]+:v?\d+\.[\w.-]+@sha256:[0-9a-f]{64}")


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_a_project_with_a_bot_pins_its_images(ci: str) -> None:
    images = plan_of(ci=ci).images

    assert images.keys() == IMAGES.keys()
    assert not [image for image in images.values() if not PIN.fullmatch(image)]


def test_without_a_bot_images_have_tags() -> None:
    plan = plan_of(ci="none")

    assert plan.images == plan.image_tags
    assert plan.images["redis"] == "redis:8-alpine"
    assert plan.images["prometheus"] == plan_of(ci="github").images["prometheus"].partition("@")[0]
