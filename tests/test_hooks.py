"""The pre-commit hooks of a generated project, in a git repository."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.environments import find_uv, write_lock_file

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bakery import Bakery

pytestmark = [pytest.mark.generated, pytest.mark.slow]


def test_the_hooks_accept_a_project_and_reject_faults(bake: Bakery, shared_folder: Path, tmp_path: Path) -> None:
    project = bake(framework="django", broker="rabbitmq", kubernetes=True).copy_to(tmp_path)
    write_lock_file(project, shared_folder, sys.executable)
    project.run("git", "init", "--quiet")
    project.run("git", "add", "--all")
    command = [find_uv(), "run", "--frozen", "--python", sys.executable, "pre-commit", "run", "--all-files"]
    variables = {"PRE_COMMIT_HOME": str(tmp_path / "cache")}

    ran = project.run(*command, variables=variables, timeout=300)
    assert ran.stdout.count("Passed") == project.read(".pre-commit-config.yaml").count("- id:")

    faults = {
        "compose.yaml": "unknown: 1\n",
        "deploy/systemd/install.sh": "echo $HOME\n",
        "Dockerfile": "RUN cd /tmp\n",
        "scripts/demo.py": "import os\n",
        "README.md": "trailing \n",
    }
    for name, fault in faults.items():
        (project.path / name).write_text(project.read(name) + fault, encoding="utf-8")
    ran = project.run(*command, variables=variables, timeout=300, check=False)

    failed = {line.partition("..")[0] for line in ran.stdout.splitlines() if line.endswith("Failed")}
    assert failed == {"ruff check", "trailing whitespace", "compose.yaml", "Dockerfile", "shell scripts"}
