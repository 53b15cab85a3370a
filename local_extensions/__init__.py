"""The Jinja extension of this template: `plan()`, `check()` and the filters that write text into each format."""

from __future__ import annotations

import json
import posixpath
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cookiecutter.exceptions import FailedHookException
from jinja2 import FileSystemBytecodeCache, pass_context
from jinja2.ext import Extension

from local_extensions import text
from local_extensions.errors import Refused
from local_extensions.literals import python, string
from local_extensions.names import slug
from local_extensions.plan import Plan, make_plan
from local_extensions.queues import last_queue

if TYPE_CHECKING:
    from collections.abc import Mapping

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


ROOT_FOLDER = "{{cookiecutter.project_slug}}"


@pass_context
def root_folder(context: Context) -> str:
    """The name of the project's folder, which Cookiecutter renders before it creates anything.

    Raises:
        FailedHookException: the answers have mistakes. They come from a replay file, for which `__check` is not asked.
    """
    cookiecutter: dict[str, Any] = context["cookiecutter"]
    if "_template" not in cookiecutter:
        return ROOT_FOLDER  # not all is answered yet: it is an answer of just this text
    chosen = plan(context)
    # The hook deletes these folders. To render them first took as long as all the rest.
    cookiecutter["_copy_without_render"] = unused_folders(chosen.options)
    return chosen.slug


def unused_folders(options: Mapping[str, str]) -> list[str]:
    """The option folders of answers that are not chosen, as patterns for Cookiecutter's `_copy_without_render`."""
    project = Path(__file__).parents[1] / ROOT_FOLDER
    return [
        str(folder.relative_to(project))
        for folder in project.glob("**/_options/*/*")
        if options[folder.parent.name] not in folder.name.split("+")
    ]


@lru_cache(maxsize=1)
def _own_templates() -> frozenset[str]:
    """What Cookiecutter renders without a name, beside answers: our computed defaults and our hook."""
    root = Path(__file__).parents[1]
    questions = json.loads((root / "cookiecutter.json").read_text(encoding="utf-8"))
    defaults = [default for default in questions.values() if isinstance(default, str)]
    hook = (root / "hooks" / "post_gen_project.py").read_text(encoding="utf-8")
    return frozenset([*defaults, hook])


class PlanExtension(Extension):
    """What cookiecutter.json, the template's files and the hook use."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.globals.update(plan=plan, check=check, root_folder=root_folder, text=rendered)
        environment.filters.update(FILTERS)
        # Half of a bake would be Jinja compiling the files; it needs to once for each version of a file.
        environment.bytecode_cache = FileSystemBytecodeCache()

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002
        """Let an answer be text, as it is for who types it in: with --no-input, Cookiecutter would run its `{{ }}`."""
        # Files have a name, and when the paths in the project are rendered there is a loader.
        if name is not None or self.environment.loader is not None:
            return source
        if source == ROOT_FOLDER:
            return "{{ root_folder() }}"
        if any(mark in source for mark in ("{{", "{%", "{#")) and source not in _own_templates():
            return "{{ " + string(source) + " }}"
        return source
