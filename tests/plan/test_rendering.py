"""Each file of the template renders for each answer, including files of disabled features."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from tests.support.answers import DEFAULTS, ROOT, plan_of
from tests.support.render import PART, environment, list_paths, render, render_queue_files
from tests.support.variants import (
    Variant,
    choices,
    core_answers,
    drop_unsupported_extras,
    few_variants,
    label,
)

QUEUE_FILES = [path for path in list_paths() if "{queue}" in path]


def single_answers() -> list[Variant]:
    """Return a variant for each choice, with the first supported answers to the other questions."""
    cores = core_answers()
    return [
        Variant(
            f"{name}-{label(name, answer)}",
            next(
                {**core, name: answer}
                for core in cores
                if core.get(name, answer) == answer and drop_unsupported_extras({**core, name: answer})[name] == answer
            ),
        )
        for name, offered in choices().items()
        for answer in offered
    ]


@pytest.mark.parametrize("variant", [*few_variants(), *single_answers()], ids=str)
def test_each_file_renders(variant: Variant) -> None:
    answers = {**DEFAULTS, **variant.answers}
    assert len(list_paths()) > 200
    for path in list_paths():
        render(path, **answers)


def test_an_unknown_feature_is_an_error() -> None:
    template = environment().from_string("{% if plan().features.telepathy %}{% endif %}")
    with pytest.raises(UndefinedError, match="telepathy"):
        template.render(cookiecutter=DEFAULTS)


@pytest.mark.parametrize("path", QUEUE_FILES)
def test_a_file_per_queue_has_a_part_per_queue(path: str) -> None:
    answers = {"queues": "a, b-c, d_e", "beat_jobs": "x = @daily; y = @daily -> b-c; z = @daily -> d_e"}
    queues = plan_of(**answers).queues
    found = list(render_queue_files(path, **answers))
    assert found in [[getattr(queue, name) for queue in queues] for name in ("name", "module", "dns_name")]


def test_the_hook_uses_the_same_pattern_for_parts() -> None:
    assert len(QUEUE_FILES) == 4
    hook = (ROOT / "hooks" / "post_gen_project.py").read_text(encoding="utf-8")
    assert f'r"{PART.pattern}"' in hook
