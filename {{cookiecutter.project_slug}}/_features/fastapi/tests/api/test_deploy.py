"""The stop grace period and the port of the API in `compose.yaml`."""

import inspect
import re

from {{ cookiecutter.project_slug }} import probe

from ..test_deploy import APPS


def test_open_requests_finish_within_the_stop_grace_period() -> None:
    (seconds,) = re.findall(r"--timeout-graceful-shutdown (\d+)", APPS["api"]["command"])
    assert int(APPS["api"]["stop_grace_period"].removesuffix("s")) >= int(seconds) + 5


def test_the_probe_uses_the_port_of_the_api() -> None:
    port = inspect.signature(probe.main).parameters["port"].default
    assert f"--port {port}" in APPS["api"]["command"]
    assert [published.rpartition(":")[2] for published in APPS["api"]["ports"]] == [str(port)]
