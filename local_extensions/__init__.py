"""The Jinja extension that cookiecutter.json names. It loads the code of the template that is being rendered.

Python imports `local_extensions` once in a process, but one process may render several templates: cruft renders two
commits from one folder, and a test suite compares two checkouts. So nothing here depends on the template's version;
everything that does is in `extension.py` and the modules that it imports, which are loaded again when they differ.
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
    """The globals, filters and answer handling of the template that is being rendered."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._code = load_template_code()
        self._code.register(environment)

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002
        """Return the template source that Jinja compiles for this source."""
        prepared: str = self._code.prepare_source(self.environment, source, name)
        return prepared


def load_template_code() -> ModuleType:
    """Return the module `extension` of the template that is being rendered."""
    package: Any = sys.modules[__name__]
    folder = template_code_folder()
    version = version_of(folder)
    if package.loaded_version == version:
        return importlib.import_module(f"{__name__}.extension")
    for name in [name for name in sys.modules if name.startswith(f"{__name__}.")]:
        del sys.modules[name]
    package.__path__ = [str(folder)]
    with no_bytecode():
        code = importlib.import_module(f"{__name__}.extension")
    package.loaded_version = version
    return code


def template_code_folder() -> Path:
    """Return the last folder of this name on sys.path: Cookiecutter and cruft append the template's root to it."""
    candidates = (Path(entry, __name__) for entry in reversed(sys.path))
    return next((folder for folder in candidates if (folder / "extension.py").is_file()), Path(__file__).parent)


def version_of(folder: Path) -> str:
    """Return a hash that differs for another folder, and for other code in it."""
    digest = hashlib.sha256(str(folder.resolve()).encode())
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@contextmanager
def no_bytecode() -> Iterator[None]:
    """Import from source. Bytecode of another commit would pass for current if size and second of change are equal."""
    before = sys.dont_write_bytecode, sys.pycache_prefix
    sys.dont_write_bytecode, sys.pycache_prefix = True, str(Path(__file__).parent / "no_bytecode")
    try:
        yield
    finally:
        sys.dont_write_bytecode, sys.pycache_prefix = before


loaded_version = version_of(Path(__file__).parent)
