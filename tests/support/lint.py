"""The linters in the environment of the template."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.variants import ROOT

BIN = Path(sys.executable).parent


def lint(program: str, *arguments: str | Path) -> None:
    """Run a linter in the root folder of the repository.

    Raises:
        AssertionError: The linter failed. The message contains its output.
    """
    command = [BIN / program, *arguments]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300, input="")
    assert completed.returncode == 0, f"{completed.stdout}\n{completed.stderr}"
