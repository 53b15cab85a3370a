"""The Jinja extension in cookiecutter.json. It loads the code of the template that Cookiecutter renders.

Python imports `local_extensions` once per process, but a process may render several templates: cruft renders two
commits from one folder, and a test suite may compare two checkouts. Therefore this module does not depend on the
version of the template. `extension.py` and the modules that it imports are reloaded if their code changes.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2.ext import Extension

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from jinja2 import Environment


class PlanExtension(Extension):
    """The Jinja globals and filters of the template, and the escaping of answers."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._code = load_template_code()
        self._code.register(environment)

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002
        """Return the source that Jinja compiles."""
        prepared: str = self._code.prepare_source(self.environment, source, name)
        return prepared


def load_template_code() -> ModuleType:
    """Return the module `extension` of the template that Cookiecutter renders."""
    package: Any = sys.modules[__name__]
    folder = find_template_code()
    version = hash_code(folder)
    if package.loaded_version == version:
        return importlib.import_module(f"{__name__}.extension")
    for name in [name for name in sys.modules if name.startswith(f"{__name__}.")]:
        del sys.modules[name]
    package.__path__ = [str(folder)]
    with disable_bytecode():
        code = importlib.import_module(f"{__name__}.extension")
    package.loaded_version = version
    return code


def find_template_code() -> Path:
    """Return the last directory `local_extensions` on sys.path: Cookiecutter and cruft append the template's root."""
    candidates = (Path(entry, __name__) for entry in reversed(sys.path))
    return next((folder for folder in candidates if (folder / "extension.py").is_file()), Path(__file__).parent)


def hash_code(folder: Path) -> str:
    """Return a hash of the path of a directory and of the code in it."""
    digest = hashlib.sha256(str(folder.resolve()).encode())
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@contextmanager
def disable_bytecode() -> Iterator[None]:
    """Disable the bytecode cache. It is keyed by size and modification time, which can be equal in two commits."""
    before = sys.dont_write_bytecode, sys.pycache_prefix
    sys.dont_write_bytecode, sys.pycache_prefix = True, str(Path(__file__).parent / "no_bytecode")
    try:
        yield
    finally:
        sys.dont_write_bytecode, sys.pycache_prefix = before


loaded_version = hash_code(Path(__file__).parent)
