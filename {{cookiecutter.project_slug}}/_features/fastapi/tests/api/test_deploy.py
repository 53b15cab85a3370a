"""How long the API may take to stop, and where it is asked whether it is ready."""

import inspect
import re

from {{ cookiecutter.project_slug }} import probe

from ..test_deploy import APPS


def test_requests_have_ended_before_the_api_is_killed() -> None:
    (seconds,) = re.findall(r"--timeout-graceful-shutdown (\d+)", APPS["api"]["command"])
    assert int(APPS["api"]["stop_grace_period"].removesuffix("s")) >= int(seconds) + 5


def test_the_probe_asks_where_the_api_listens() -> None:
    port = inspect.signature(probe.main).parameters["port"].default
    assert f"--port {port}" in APPS["api"]["command"]
    assert [published.rpartition(":")[2] for published in APPS["api"]["ports"]] == [str(port)]
