"""The bakery, which bakes each set of answers once per test run."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any
from unittest import mock

from cookiecutter.environment import StrictEnvironment
from jinja2 import Environment

from tests.support.locks import hold_lock
from tests.support.project import BakedProject

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import CodeType


def compile_once() -> Callable[..., CodeType]:
    """Return a cached `Environment.compile`, because compilation takes most of the time of a bake."""
    codes: dict[object, CodeType] = {}

    def compile_cached(
        environment: Environment, source: str, name: str | None = None, filename: str | None = None
    ) -> CodeType:
        # The extension changes a source without a name if there is no loader.
        key = source, name, filename, environment.loader is None
        if key not in codes:
            codes[key] = Environment.compile(environment, source, name, filename)
        return codes[key]

    return compile_cached


class Bakery:
    """A function that bakes a project: `bakery(broker="rabbitmq")`. Other answers are the defaults."""

    def __init__(self, cookies: Any, shared_folder: Path) -> None:
        self._cookies = cookies
        self._folder = shared_folder / "bakes"
        self._compile = compile_once()

    def __call__(self, **answers: str | bool) -> BakedProject:
        """Return the project with these answers.

        Raises:
            AssertionError: The bake failed. The message contains the exception.
        """
        key = json.dumps(answers, sort_keys=True)
        folder = self._folder / hashlib.sha256(key.encode()).hexdigest()[:16]
        with hold_lock(folder.with_suffix(".lock")):
            if not folder.exists():
                with self.share_templates():
                    result = self._cookies.bake(extra_context=answers)
                if result.exception is not None:
                    kind = type(result.exception).__name__
                    raise AssertionError(f"baking {key} failed with {kind}: {result.exception}")
                baked = result.project_path.parent
                copy = folder.with_suffix(".part")
                shutil.copytree(baked, copy, symlinks=True)
                copy.rename(folder)  # at once: an interrupted run leaves no half of a project
                shutil.rmtree(baked)
        (path,) = folder.iterdir()
        return BakedProject(path, answers)

    def share_templates(self) -> AbstractContextManager[object]:
        """Return a context manager in which Cookiecutter uses the compiled templates of this process."""
        return mock.patch.object(StrictEnvironment, "compile", self._compile)

    def count(self) -> int:
        """Return the number of projects that all pytest-xdist workers have baked."""
        return sum(path.is_dir() for path in self._folder.glob("*"))
