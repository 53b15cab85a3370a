"""Reads every file of a generated project with the parser of its kind."""

from __future__ import annotations

import ast
import configparser
import json
import re
import subprocess
import tomllib
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import yaml
from markdown_it import MarkdownIt
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

DOCKERFILE = re.compile(
    r"(ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|RUN|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR)\s+\S"
)


def assert_every_file_parses(project: Path) -> None:
    """Check that each file of the project in this folder is what its name says.

    Raises:
        AssertionError: a file does not parse, or is of a kind that nothing here reads; the message names it.
    """
    files = sorted(path for path in project.rglob("*") if path.is_file())
    assert files, f"{project} has no files"
    for path in files:
        name = path.relative_to(project).as_posix()
        problem = problem_of(name, path.read_bytes())
        assert problem is None, f"{name}: {problem}"


@cache
def problem_of(name: str, content: bytes) -> str | None:
    """What is wrong with a file's content, None if it is fine. Variants share most files, so each is read once."""
    reader = reader_of(name)
    if reader is None:
        return "nothing reads this kind of file: add it to tests/support/parse.py"
    try:
        text = content.decode()
        assert "\0" not in text, "it has a null character"
        reader(text)
    except (AssertionError, SyntaxError, ValueError, yaml.YAMLError, configparser.Error) as error:
        return f"{type(error).__name__}: {error}"
    return None


def reader_of(name: str) -> Callable[[str], object] | None:
    """What reads a file of this path: by its whole name, else by its suffix."""
    path = PurePosixPath(name)
    return BY_NAME.get(path.name) or BY_SUFFIX.get(path.suffix)


def markdown(text: str) -> None:
    """Every fence is closed, and every table has as many cells in each row as in its head."""
    tokens = MarkdownIt().enable("table").parse(text)
    assert tokens, "it is empty"
    assert len(re.findall(r"^(```|~~~)", text, flags=re.MULTILINE)) % 2 == 0, "a fence is not closed"
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()}
        assert len(widths) == 1, f"a table's rows differ in length:\n{block}"


def unit(text: str) -> None:
    """A file of systemd, as systemd.syntax(7) says."""
    lines = joined(text)
    settings = [line for line in lines if line.strip() and not line.startswith(("#", ";"))]
    assert settings, "it sets nothing"
    assert re.fullmatch(r"\[[A-Za-z]+\]", settings[0]), f"it does not begin with a section but with {settings[0]!r}"
    for line in settings:
        assert re.fullmatch(r"\[[A-Za-z]+\]|[A-Z][A-Za-z]*=.*", line), f"{line!r} is no setting"


def joined(text: str) -> list[str]:
    """The lines of a text in which a last backslash joins a line to the next."""
    return re.sub(r"\\\n", " ", text).splitlines()


def dockerfile(text: str) -> None:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in joined("\n".join(lines)):
        assert not line.strip() or DOCKERFILE.match(line), f"{line!r} is no instruction"


def environment(text: str) -> None:
    """A file of variables, as Compose and systemd read it."""
    for line in text.splitlines():
        assert re.fullmatch(r"\s*|#.*|[A-Z][A-Z0-9_]*=\S*", line), f"{line!r} sets no variable"


def patterns(text: str) -> None:
    """A list of files to ignore."""
    for line in text.splitlines():
        assert re.fullmatch(r"|#.*|!?[\w./*\[\]-]+", line), f"{line!r} is no pattern"


def attributes(text: str) -> None:
    """Check a .gitattributes file."""
    for line in text.splitlines():
        assert re.fullmatch(r"|#.*|\S+( -?\w+(=\w+)?)+", line), f"{line!r} sets no attribute"


def configuration(text: str) -> None:
    """A drop-in of a unit, or lines as in sysusers.d(5), tmpfiles.d(5) and rabbitmq.conf."""
    if re.search(r"^\[[A-Z][a-z]+\]$", text, flags=re.MULTILINE):
        unit(text)
        return
    for line in text.splitlines():
        assert re.fullmatch(r"|[#;].*|[\w.-]+\s*=\s*\S+|[a-z]!?( +\S+)+", line), f"{line!r} is no entry"


def editorconfig(text: str) -> None:
    configparser.ConfigParser(strict=True, interpolation=None).read_string(f"[preamble]\n{text}")


def shell(text: str) -> None:
    interpreter = "bash" if text.startswith(("#!/usr/bin/env bash", "#!/bin/bash")) else "sh"
    assert text.startswith("#!"), "it does not say what runs it"
    command([interpreter, "-n"], text)


def makefile(text: str) -> None:
    command(["make", "--print-data-base", "--question", "--no-builtin-rules", "--file=-", ".PHONY"], text, (0, 1))


def command(arguments: list[str], text: str, accepted: tuple[int, ...] = (0,)) -> None:
    """Let a program read a text from its standard input.

    Raises:
        AssertionError: it complains.
    """
    ran = subprocess.run(arguments, input=text, capture_output=True, text=True, check=False, timeout=30, cwd="/")
    assert ran.returncode in accepted, ran.stderr


def requirements(text: str) -> None:
    """Check a requirements.txt file."""
    lines = text.splitlines()
    assert lines, "it is empty"
    for line in lines:
        Requirement(line)


def prose(text: str) -> None:
    assert text.strip(), "it is empty"


def empty(text: str) -> None:
    assert not text, "it is not empty"


BY_NAME: Mapping[str, Callable[[str], object]] = {
    ".dockerignore": patterns,
    ".editorconfig": editorconfig,
    ".env.example": environment,
    ".gitattributes": attributes,
    ".gitignore": patterns,
    "Dockerfile": dockerfile,
    "LICENSE": prose,
    "Makefile": makefile,
    "py.typed": empty,
}


class CloudFormation(yaml.CSafeLoader):
    """YAML in which `!Sub` and the like are CloudFormation's functions; cfn-lint knows what they may be."""


CloudFormation.add_multi_constructor("!", lambda loader, _, node: loader.construct_yaml_str(node))


def any_yaml(text: str) -> object:
    """A YAML file, CloudFormation's and those of several documents included."""
    return list(yaml.load_all(text, CloudFormation))


BY_SUFFIX: Mapping[str, Callable[[str], object]] = {
    ".conf": configuration,
    ".env": environment,
    ".example": environment,
    ".json": json.loads,
    ".md": markdown,
    ".py": ast.parse,
    ".service": unit,
    ".sh": shell,
    ".target": unit,
    ".toml": tomllib.loads,
    ".txt": requirements,
    ".yaml": any_yaml,
    ".yml": yaml.safe_load,
}
