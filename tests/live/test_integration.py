"""The integration tests of a project, on the servers that its CI starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import count

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.project import BakedProject
    from tests.support.servers import Servers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("integration")]


@pytest.fixture(params=["fastapi redis redis", "none rabbitmq database", "django rabbitmq redis"])
def project(request: pytest.FixtureRequest, bake: Bakery, tmp_path: Path) -> BakedProject:
    """Return a project with a framework, broker and result backend."""
    framework, broker, result_backend = request.param.split()
    return bake(framework=framework, broker=broker, result_backend=result_backend).copy_to(tmp_path)


def test_the_integration_tests_pass_on_real_servers(
    project: BakedProject,
    install_project: Callable[[BakedProject], Environment],
    servers: Servers,
    request: pytest.FixtureRequest,
) -> None:
    count(request, "live")
    urls = {name.replace("CELERY_", "TEST_"): url for name, url in servers.variables(project).items() if "://" in url}
    assert urls.keys() == {"TEST_BROKER_URL", "TEST_RESULT_BACKEND"}

    completed = project.run(
        "pytest", "-q", "-m", "integration", environment=install_project(project), variables=urls, timeout=300
    )

    assert " passed" in completed.stdout
    assert " skipped" not in completed.stdout
