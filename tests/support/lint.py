"""The linters of this template's environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.variants import ROOT

BIN = Path(sys.executable).parent


def lint(program: str, *arguments: str | Path) -> None:
    """Run a linter, with this repository as its working directory.

    Raises:
        AssertionError: it complains; the message holds what it says.
    """
    command = [BIN / program, *arguments]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300, input="")
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
