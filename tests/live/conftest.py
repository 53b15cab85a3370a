"""What the live tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.environments import Environment
    from tests.support.project import BakedProject


@pytest.fixture(scope="module")
def environment(project: BakedProject, installed: Callable[..., Environment]) -> Environment:
    """The environment of the module's `project`, while its tests run."""
    return installed(project)
