"""Fixtures of the live tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.environments import Environment
    from tests.support.project import BakedProject


@pytest.fixture(scope="module")
def environment(project: BakedProject, install_project: Callable[..., Environment]) -> Environment:
    """Return the installed environment of the module's `project`."""
    return install_project(project)
