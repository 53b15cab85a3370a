"""The project's files: which of `project/` the answers choose, and what becomes of them."""

from __future__ import annotations

import os
import posixpath
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

SLUG = "{{cookiecutter.project_slug}}"
"""What stands for the package's name in a path."""

PART = re.compile(r"^=== ((?:\w[\w.-]*/)*\w[\w.-]*) ===\n", flags=re.MULTILINE)


class File(NamedTuple):
    """A file of the project.

    Attributes:
        path: in the project, with `/`.
        executable: whether it is a program.
        text: what is in it.
    """

    path: str
    executable: bool
    text: str


def chosen(folder: Path, options: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """The files of a folder, each with its path in the project.

    `_options/<question>/<answer>+<other answer>/` is laid over the folder that holds it where one of the answers is the
    chosen one. Nothing is read.

    Args:
        folder: what every project has, and `_options`.
        options: the answer to each question.

    Raises:
        KeyError: there is an option of a question that is not among `options`.
    """
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.name == "_options":
            for answers in sorted(Path(entry).glob("*/*")):
                if options[answers.parent.name] in answers.name.split("+"):
                    yield from chosen(answers, options)
        elif entry.is_dir():
            yield from ((f"{entry.name}/{path}", source) for path, source in chosen(Path(entry), options))
        else:
            yield entry.name, Path(entry)


def split(path: str, text: str) -> Iterator[tuple[str, str]]:
    """The parts of a `.split` file, each of which begins with a line `=== path ===`, with their paths beside it."""
    _, *parts = PART.split(text)
    for name, part in zip(parts[::2], parts[1::2], strict=True):
        yield posixpath.join(posixpath.dirname(path), name), part


def files(folder: Path, options: Mapping[str, str], slug: str, render: Callable[[str], str]) -> dict[str, File]:
    """The files of a project, by their paths.

    Args:
        folder: see `chosen`.
        options: see `chosen`.
        slug: the package's name.
        render: the text of a file, by its path in `folder`.

    Raises:
        ValueError: two sources become the same file.
    """
    made: dict[str, File] = {}
    for path, source in chosen(folder, options):
        target = path.replace(SLUG, slug)
        text = render(source.relative_to(folder).as_posix())
        executable = bool(source.stat().st_mode & 0o111)
        for part, content in split(target, text) if target.endswith(".split") else [(target, text)]:
            if part in made:
                raise ValueError(f"Two files of the template become {part}")
            made[part] = File(part, executable, content)
    return made


def write(folder: Path, made: Iterable[File], *, keep: bool) -> None:
    """Write files into a folder.

    Args:
        folder: where; it is there.
        made: what.
        keep: whether what is there already stays as it is.

    Raises:
        OSError: one could not be written. A folder that was empty is gone then.
    """
    empty = not any(folder.iterdir())
    known = {folder}
    try:
        for file in made:
            path = folder / file.path
            if keep and path.exists():
                continue
            if path.parent not in known:
                path.parent.mkdir(parents=True, exist_ok=True)
                known.add(path.parent)
            path.write_text(file.text, encoding="utf-8", newline="\n")
            if file.executable:
                path.chmod(path.stat().st_mode | 0o111)
    except OSError:
        if empty:
            shutil.rmtree(folder, ignore_errors=True)
        raise
