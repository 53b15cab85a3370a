"""Bakes projects, each set of answers once in a run of the tests."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

from tests.support.locks import locked
from tests.support.project import BakedProject

if TYPE_CHECKING:
    from pathlib import Path


class Bakery:
    """Call it with answers; what is not answered has its default."""

    def __init__(self, cookies: Any, shared: Path) -> None:
        self._cookies = cookies
        self._folder = shared / "bakes"

    def __call__(self, **answers: str | bool) -> BakedProject:
        """The project for these answers.

        Raises:
            AssertionError: the bake failed; the message names the exception.
        """
        written = json.dumps(answers, sort_keys=True)
        folder = self._folder / hashlib.sha256(written.encode()).hexdigest()[:16]
        with locked(folder.with_suffix(".lock")):
            if not folder.exists():
                result = self._cookies.bake(extra_context=answers)
                if result.exception is not None:
                    kind = type(result.exception).__name__
                    raise AssertionError(f"baking {written} failed with {kind}: {result.exception}")
                # Into its place in one step, so that nobody finds half a project.
                shutil.move(result.project_path.parent, folder)
        (path,) = folder.iterdir()
        return BakedProject(path, answers)

    def count(self) -> int:
        """How many different projects all workers have baked so far."""
        return sum(path.is_dir() for path in self._folder.glob("*"))
