"""Bakes projects, each set of answers once in a run of the tests."""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import partialmethod
from typing import TYPE_CHECKING, Any
from unittest import mock

from cookiecutter.environment import StrictEnvironment
from jinja2 import BytecodeCache

from tests.support.locks import locked
from tests.support.project import BakedProject

if TYPE_CHECKING:
    from pathlib import Path
    from types import CodeType

    from jinja2.bccache import Bucket


class SharedBytecode(BytecodeCache):
    """The compiled templates of this process: every bake needs the same ones, and spends most of its time on them."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give a template its compiled code, if its source was compiled before."""
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template's compiled code."""
        if bucket.code is not None:
            self._codes[bucket.key, bucket.checksum] = bucket.code


class Bakery:
    """Call it with answers; what is not answered has its default."""

    def __init__(self, cookies: Any, shared: Path) -> None:
        self._cookies = cookies
        self._folder = shared / "bakes"
        self._create_environment = partialmethod(StrictEnvironment.__init__, bytecode_cache=SharedBytecode())

    def __call__(self, **answers: str | bool) -> BakedProject:
        """The project for these answers.

        Raises:
            AssertionError: the bake failed; the message names the exception.
        """
        written = json.dumps(answers, sort_keys=True)
        folder = self._folder / hashlib.sha256(written.encode()).hexdigest()[:16]
        with locked(folder.with_suffix(".lock")):
            if not folder.exists():
                with mock.patch.object(StrictEnvironment, "__init__", self._create_environment):
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
