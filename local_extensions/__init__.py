"""The Jinja extension of this template: `plan()`, `check()` and the filters that write text into each format."""

from __future__ import annotations

import json
import posixpath
import shlex
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from cookiecutter.exceptions import FailedHookException
from jinja2 import FileSystemBytecodeCache, FileSystemLoader, pass_context
from jinja2.ext import Extension

from local_extensions import text
from local_extensions.errors import Refused
from local_extensions.literals import python, string
from local_extensions.names import slug
from local_extensions.plan import Plan, make_plan
from local_extensions.project import SLUG, files, write
from local_extensions.queues import last_queue

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context

FILTERS = {
    "code": text.code,
    "django_settings": text.django_settings,
    "docstring": text.docstring,
    "json": text.json,
    "last_queue": last_queue,
    "markdown": text.markdown,
    "python": python,
    "slug": slug,
    "systemd": text.systemd,
    "toml": text.toml,
    "yaml": text.yaml,
}


@lru_cache(maxsize=1)
def _plan(answers: tuple[tuple[str, str], ...]) -> Plan:
    """Every file of the project asks for the plan of the same answers."""
    return make_plan(dict(answers))


@pass_context
def plan(context: Context) -> Plan:
    """The plan for the answers so far.

    Raises:
        FailedHookException: they have mistakes. Of this, Cookiecutter shows the message only.
    """
    answers: dict[str, Any] = context["cookiecutter"]
    try:
        return _plan(tuple((name, str(answer)) for name, answer in answers.items() if not name.startswith("_")))
    except Refused as refused:
        raise FailedHookException(str(refused)) from None


@pass_context
def check(context: Context) -> str:
    """Nothing, if the answers make a plan; see `plan`."""
    plan(context)
    return ""


@pass_context
def rendered(context: Context, *names: str, folder: str = "") -> str:
    """The files of `templates/`, or of a folder in it, with a blank line between two of them."""
    load, answers = context.environment.get_template, context.get_all()
    texts = (load(posixpath.join(folder, name)).render(answers) for name in names)
    return "\n\n".join(text.strip("\n") for text in texts)


ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "project"


@pass_context
def root_folder(context: Context) -> str:
    """The name of the project's folder, which Cookiecutter renders before it creates anything.

    Raises:
        FailedHookException: the answers have mistakes. They come from a replay file, for which `__check` is not asked.
    """
    if "_template" not in context["cookiecutter"]:
        return SLUG  # not all is answered yet: it is an answer of just this text
    return plan(context).slug


@pass_context
def write_project(context: Context) -> str:
    """Write all files of the project, and nothing to the file whose name asks for it.

    Cookiecutter makes no file whose name is empty. To let it walk through all files took twice as long as all the rest
    of a bake, and a mistake in the last one left the others behind.

    Raises:
        FailedHookException: they could not be written. Of this, Cookiecutter shows the message only.
    """
    answers = context["cookiecutter"]
    chosen = plan(context)
    environment = context.environment.overlay()
    environment.loader = FileSystemLoader([SOURCES, ROOT / "templates"])
    variables = {**context.get_all(), "plan": lambda: chosen}

    def render(path: str) -> str:
        # Half of the files ask for nothing but the package's name, which spares Jinja compiling and loading them.
        text = (SOURCES / path).read_text(encoding="utf-8").replace("{{ cookiecutter.project_slug }}", chosen.slug)
        return environment.get_template(path).render(variables) if is_template(text) else text

    made = files(SOURCES, chosen.options, chosen.slug, render)
    folder = Path(answers["_output_dir"], chosen.slug)
    try:
        write(folder, made.values(), keep=keeps_files())
    except OSError as error:
        raise FailedHookException(f"The project could not be written: {error}") from None
    click.echo(
        f"{chosen.summary}\n\n"
        f"    cd {shlex.quote(str(folder))}\n"
        "    make demo    # see it at work, without a broker\n"
        "    make test    # install it and run its tests\n"
        "    make up      # broker, workers and beat in containers"
    )
    return ""


def keeps_files() -> bool:
    """Whether `--skip-if-file-exists` was said, which Cookiecutter does not tell its extensions."""
    command = click.get_current_context(silent=True)
    return bool(command and command.params.get("skip_if_file_exists"))


def is_template(text: str) -> bool:
    """Whether Jinja would make anything else of it."""
    return any(mark in text for mark in ("{{", "{%", "{#"))


@lru_cache(maxsize=1)
def _own_templates() -> frozenset[str]:
    """What Cookiecutter renders without a name, beside answers: our computed defaults."""
    questions = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    return frozenset(default for default in questions.values() if isinstance(default, str))


class PlanExtension(Extension):
    """What cookiecutter.json and the template's files use."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.globals.update(
            plan=plan,
            check=check,
            root_folder=root_folder,
            write_project=write_project,
            text=rendered,
        )
        environment.filters.update(FILTERS)
        # Half of a bake would be Jinja compiling the files; it needs to once for each version of a file.
        environment.bytecode_cache = FileSystemBytecodeCache()

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002
        """Let an answer be text, as it is for who types it in: with --no-input, Cookiecutter would run its `{{ }}`."""
        # Files have a name, and when the paths in the project are rendered there is a loader.
        if name is not None or self.environment.loader is not None:
            return source
        if source == SLUG:
            return "{{ root_folder() }}"
        if is_template(source) and source not in _own_templates():
            return "{{ " + string(source) + " }}"
        return source
