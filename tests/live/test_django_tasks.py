"""Django's tasks framework, which Django has since version 6.0: a project's tests on Redis, with a newer Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import count, require_program
from tests.support.environments import find_interpreters

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.servers import Servers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("integration")]

INTERPRETERS = [path for version, path in sorted(find_interpreters().items()) if version >= "3.12"]  # Django 6 needs it


def test_the_tests_of_django_tasks_pass_on_redis(
    bake: Bakery,
    install_project: Callable[..., Environment],
    servers: Servers,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    count(request, "live")
    require_program(INTERPRETERS or None, "Python 3.12 or newer")
    project = bake(framework="django").copy_to(tmp_path)
    environment = install_project(project, python=INTERPRETERS[-1])
    urls = {name.replace("CELERY_", "TEST_"): url for name, url in servers.variables(project).items() if "://" in url}

    checks = "tests/test_django.py::test_the_production_settings_pass_the_deployment_checks"
    tests = ["tests/test_django_tasks.py", checks]
    completed = project.run("pytest", "-q", *tests, environment=environment, variables=urls, timeout=300)

    assert " passed" in completed.stdout
    assert " skipped" not in completed.stdout
