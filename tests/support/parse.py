"""Parsers for all files of a generated project."""

from __future__ import annotations

import ast
import configparser
import json
import re
import subprocess
import tomllib
from functools import cache
from html.parser import HTMLParser
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
    """Assert that each file of the project in this folder parses.

    Raises:
        AssertionError: A file is invalid or has no parser. The message contains its name.
    """
    files = sorted(path for path in project.rglob("*") if path.is_file())
    assert files, f"{project} has no files"
    for path in files:
        name = path.relative_to(project).as_posix()
        problem = find_problem(name, path.read_bytes())
        assert problem is None, f"{name}: {problem}"


@cache
def find_problem(name: str, content: bytes) -> str | None:
    """Return the problem of a file, or None. Cached, because variants share most files."""
    parse = get_parser(name)
    if parse is None:
        return "this kind of file has no parser: add it to tests/support/parse.py"
    try:
        text = content.decode()
        assert "\0" not in text, "it has a null character"
        parse(text)
    except (AssertionError, SyntaxError, ValueError, yaml.YAMLError, configparser.Error) as error:
        return f"{type(error).__name__}: {error}"
    return None


def get_parser(name: str) -> Callable[[str], object] | None:
    """Return the parser for a file path, by its name or its suffix."""
    path = PurePosixPath(name)
    return BY_NAME.get(path.name) or BY_SUFFIX.get(path.suffix)


def parse_markdown(text: str) -> None:
    """Check that all fences are closed, and that all rows of a table have as many cells as its header."""
    tokens = MarkdownIt().enable("table").parse(text)
    assert tokens, "it is empty"
    assert len(re.findall(r"^(```|~~~)", text, flags=re.MULTILINE)) % 2 == 0, "a fence is not closed"
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()}
        assert len(widths) == 1, f"a table's rows differ in length:\n{block}"


def parse_unit(text: str) -> None:
    """Check a systemd unit (systemd.syntax(7))."""
    lines = join_lines(text)
    settings = [line for line in lines if line.strip() and not line.startswith(("#", ";"))]
    assert settings, "it has no settings"
    assert re.fullmatch(r"\[[A-Za-z]+\]", settings[0]), f"it begins with {settings[0]!r} instead of a section"
    for line in settings:
        assert re.fullmatch(r"\[[A-Za-z]+\]|[A-Z][A-Za-z]*=.*", line), f"{line!r} is not a setting"


def join_lines(text: str) -> list[str]:
    """Return the lines of a text. A trailing backslash joins two lines."""
    return re.sub(r"\\\n", " ", text).splitlines()


def parse_dockerfile(text: str) -> None:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in join_lines("\n".join(lines)):
        assert not line.strip() or DOCKERFILE.match(line), f"{line!r} is not an instruction"


def parse_environment(text: str) -> None:
    """Check a file of environment variables for Compose and systemd."""
    for line in text.splitlines():
        assert re.fullmatch(r"\s*|#.*|[A-Z][A-Z0-9_]*=\S*", line), f"{line!r} does not set a variable"


def parse_ignored_paths(text: str) -> None:
    """Check a list of ignored files."""
    for line in text.splitlines():
        assert re.fullmatch(r"|#.*|!?[\w./*\[\]-]+", line), f"{line!r} is not a pattern"


def parse_attributes(text: str) -> None:
    """Check a .gitattributes file."""
    for line in text.splitlines():
        assert re.fullmatch(r"|#.*|\S+( -?\w+(=\w+)?)+", line), f"{line!r} does not set an attribute"


def parse_configuration(text: str) -> None:
    """Check a drop-in of a unit, sysusers.d(5), tmpfiles.d(5) or rabbitmq.conf."""
    if re.search(r"^\[[A-Z][a-z]+\]$", text, flags=re.MULTILINE):
        parse_unit(text)
        return
    for line in text.splitlines():
        assert re.fullmatch(r"|[#;].*|[\w.-]+\s*=\s*\S+|[a-z]!?( +\S+)+", line), f"{line!r} is not an entry"


def parse_editorconfig(text: str) -> None:
    configparser.ConfigParser(strict=True, interpolation=None).read_string(f"[preamble]\n{text}")


def parse_shell(text: str) -> None:
    interpreter = "bash" if text.startswith(("#!/usr/bin/env bash", "#!/bin/bash")) else "sh"
    assert text.startswith("#!"), "it has no #! line"
    run_parser([interpreter, "-n"], text)


def parse_makefile(text: str) -> None:
    run_parser(["make", "--print-data-base", "--question", "--no-builtin-rules", "--file=-", ".PHONY"], text, (0, 1))


def run_parser(arguments: list[str], text: str, accepted: tuple[int, ...] = (0,)) -> None:
    """Run a program with a text on its standard input.

    Raises:
        AssertionError: The exit status is not accepted.
    """
    completed = subprocess.run(arguments, input=text, capture_output=True, text=True, check=False, timeout=30, cwd="/")
    assert completed.returncode in accepted, completed.stderr


def parse_requirements(text: str) -> None:
    """Check a requirements.txt file."""
    lines = text.splitlines()
    assert lines, "it is empty"
    for line in lines:
        Requirement(line)


def require_text(text: str) -> None:
    assert text.strip(), "it is empty"


def require_empty(text: str) -> None:
    assert not text, "it is not empty"


BY_NAME: Mapping[str, Callable[[str], object]] = {
    ".dockerignore": parse_ignored_paths,
    ".editorconfig": parse_editorconfig,
    ".env.example": parse_environment,
    ".gitattributes": parse_attributes,
    ".gitignore": parse_ignored_paths,
    "Dockerfile": parse_dockerfile,
    "LICENSE": require_text,
    "Makefile": parse_makefile,
    "py.typed": require_empty,
}


class CloudFormation(yaml.CSafeLoader):
    """A YAML loader that accepts the tags of CloudFormation, such as `!Sub`. cfn-lint validates them."""


CloudFormation.add_multi_constructor("!", lambda loader, _, node: loader.construct_yaml_str(node))


class TagParser(HTMLParser):
    """A parser that checks that each element is closed. Elements without an end tag are not supported."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"


def parse_html(text: str) -> None:
    """Check a template of Django's admin."""
    parser = TagParser()
    parser.feed(text)
    assert not parser.open, f"not closed: {parser.open}"


def parse_yaml(text: str) -> object:
    """Parse a YAML file, which may contain several documents and the tags of CloudFormation."""
    return list(yaml.load_all(text, CloudFormation))


BY_SUFFIX: Mapping[str, Callable[[str], object]] = {
    ".conf": parse_configuration,
    ".env": parse_environment,
    ".example": parse_environment,
    ".html": parse_html,
    ".json": json.loads,
    ".md": parse_markdown,
    ".py": ast.parse,
    ".service": parse_unit,
    ".sh": parse_shell,
    ".target": parse_unit,
    ".toml": tomllib.loads,
    ".txt": parse_requirements,
    ".yaml": parse_yaml,
    ".yml": yaml.safe_load,
}
