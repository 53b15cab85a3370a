"""The Jinja globals and filters that cookiecutter.json and the template's files use."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from cookiecutter.exceptions import FailedHookException
from jinja2 import pass_context

from local_extensions import filters
from local_extensions.answers import QUESTION_NAMES
from local_extensions.errors import InvalidAnswersError
from local_extensions.names import slugify
from local_extensions.plan import Plan, make_plan
from local_extensions.prompts import is_interactive, repeat_until_valid
from local_extensions.python_code import format_string, one_line_if_short, python
from local_extensions.queues import last_queue

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context

ROOT = Path(__file__).parents[1]

PROJECT_FOLDER = "{{cookiecutter.project_slug}}"
"""The directory that Cookiecutter renders."""

FILTERS = {
    "code": filters.code,
    "django_settings": filters.django_settings,
    "docstring": filters.docstring,
    "json": filters.json,
    "last_queue": last_queue,
    "markdown": filters.markdown,
    "one_line_if_short": one_line_if_short,
    "python": python,
    "slug": slugify,
    "systemd": filters.systemd,
    "toml": filters.toml,
    "yaml": filters.yaml,
}


def register(environment: Environment) -> None:
    """Add this template's functions and filters to a Jinja environment."""
    environment.globals.update(
        plan=plan,
        check=check,
        project_folder=project_folder,
        keeps_existing_files=keeps_existing_files,
    )
    environment.filters.update(FILTERS)


@lru_cache(maxsize=1)
def _plan(answers: tuple[tuple[str, str], ...]) -> Plan:
    """Return the plan. It is cached, because every file uses it."""
    return make_plan(dict(answers))


@pass_context
def plan(context: Context) -> Plan:
    """Return the plan for the current answers.

    Raises:
        FailedHookException: An answer is invalid. Cookiecutter prints this exception without a traceback.
    """
    answers: dict[str, Any] = context["cookiecutter"]
    try:
        return _plan(tuple((name, str(answer)) for name, answer in answers.items() if not name.startswith("_")))
    except InvalidAnswersError as error:
        raise FailedHookException(str(error)) from None


@pass_context
def check(context: Context, question: str = "") -> str:
    """Return an empty string if the answers are valid.

    With a question, this repeats the question at a terminal until its answer is valid. Without one, it raises the
    errors of all answers; see `plan`. During a replay, the context contains only the answers that the file does not
    contain: `project_folder` validates them.
    """
    answers = context["cookiecutter"]
    if not question and answers.keys() >= set(QUESTION_NAMES):
        plan(context)
    elif question and is_interactive():
        environment = context.environment
        repeat_until_valid(
            answers, question, lambda default: environment.from_string(default).render(cookiecutter=answers)
        )
    return ""


@pass_context
def project_folder(context: Context) -> str:
    """Return the name of the project directory. Cookiecutter renders it before it creates files.

    This also sets `_copy_without_render` to the folders of the disabled features. The hook removes these folders, and
    rendering them would double the time.

    Raises:
        FailedHookException: An answer in a replay file is invalid. Cookiecutter does not render `__check` for replays.
    """
    if "_template" not in context["cookiecutter"]:
        return PROJECT_FOLDER  # an answer contains this text
    made = plan(context)
    others = [f"_features/{name}" for name, enabled in made.features.items() if not enabled]
    context["cookiecutter"]["_copy_without_render"] = others
    return made.slug


def keeps_existing_files() -> bool:
    """Return whether `--skip-if-file-exists` is set. Cookiecutter does not pass this option to hooks."""
    command = click.get_current_context(silent=True)
    return bool(command and command.params.get("skip_if_file_exists"))


def prepare_source(environment: Environment, source: str, name: str | None) -> str:
    """Return the source that Jinja compiles. An answer that contains `{{` is returned as a literal.

    With `--no-input`, Cookiecutter renders each answer as a template.
    """
    # Files have a name. While Cookiecutter renders paths, the environment has a loader.
    if name is not None or environment.loader is not None:
        return source
    if source == PROJECT_FOLDER:
        return "{{ project_folder() }}"
    if any(mark in source for mark in ("{{", "{%", "{#")) and source not in _nameless_templates():
        return "{{ " + format_string(source) + " }}"
    return source


@lru_cache(maxsize=1)
def _nameless_templates() -> frozenset[str]:
    """Return the nameless sources that are templates: the computed defaults and the hooks."""
    questions = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    defaults = [default for default in questions.values() if isinstance(default, str)]
    hooks = [path.read_text(encoding="utf-8") for path in (ROOT / "hooks").glob("*.py")]
    return frozenset((*defaults, *hooks))
