"""Files of the template, rendered in memory without baking."""

from __future__ import annotations

import re
from functools import cache

from cookiecutter.environment import StrictEnvironment
from jinja2 import FileSystemLoader

from tests.support.answers import QUESTIONS, ROOT, all_answers

SLUG = "{{cookiecutter.project_slug}}"
"""The package's name in a path of the template."""

PROJECT = ROOT / SLUG
TEMPLATES = ROOT / "templates"

PART = re.compile(r"^=== (\S+) ===\n", re.MULTILINE)
"""The line before each part of a file per queue; see hooks/post_gen_project.py."""


@cache
def environment() -> StrictEnvironment:
    """Return Cookiecutter's Jinja environment. It compiles each file once."""
    return StrictEnvironment(
        context={"cookiecutter": QUESTIONS},
        loader=FileSystemLoader([PROJECT, TEMPLATES]),
        keep_trailing_newline=True,
        cache_size=-1,  # unlimited: the template has about as many files as the default size
        **QUESTIONS["_jinja2_env_vars"],
    )


@cache
def list_paths() -> tuple[str, ...]:
    """Return the paths of all files in the project's folder, including all features."""
    return tuple(sorted(path.relative_to(PROJECT).as_posix() for path in PROJECT.rglob("*") if path.is_file()))


def render(path: str, **answers: object) -> str:
    """Return the text of a file for these answers and the defaults of `plan_of`.

    Args:
        path: The path in the project's folder. `SLUG` may be written `<slug>`.
        answers: The answers by question.
    """
    template = environment().get_template(path.replace("<slug>", SLUG))
    text: str = template.render(cookiecutter=all_answers(**answers))
    return text


def render_queue_files(path: str, **answers: object) -> dict[str, str]:
    """Return the parts of a file whose name contains `{queue}`, by the value of `{queue}`; see `render`."""
    before, *parts = PART.split(render(path, **answers))
    assert not before, before
    names, texts = parts[::2], parts[1::2]
    assert len(set(names)) == len(names), names
    return dict(zip(names, texts, strict=True))
