"""The records of the choices in cookiecutter.json, and unsupported combinations."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from local_extensions import answers, catalogue
from local_extensions.catalogue import UNSUPPORTED, Unsupported
from tests.support.answers import DEFAULTS, QUESTIONS, list_errors, plan_of
from tests.support.render import render

if TYPE_CHECKING:
    from local_extensions.catalogue import Choice

KNOWN: dict[str, tuple[Choice, ...]] = {
    "framework": catalogue.FRAMEWORKS,
    "broker": catalogue.BROKERS,
    "result_backend": catalogue.RESULT_BACKENDS,
    "beat_scheduler": catalogue.SCHEDULERS,
    "ci": catalogue.CIS,
    "license": catalogue.LICENSES,
    "python_version": catalogue.PYTHON_VERSIONS,
}


def test_each_choice_has_a_record_in_the_order_of_the_question() -> None:
    offered = {name: answer for name, answer in QUESTIONS.items() if isinstance(answer, list) and name[0] != "_"}
    assert offered == {question: [choice.name for choice in known] for question, known in KNOWN.items()}


def test_the_questions_are_in_order_and_the_check_is_last() -> None:
    assert list(DEFAULTS) == [
        *("project_name", "project_slug", "description", "author_name", "author_email"),
        *("framework", "broker", "result_backend", "queues", "beat_jobs", "beat_scheduler"),
        *(
            "timezone",
            "task_time_limit",
            "examples",
            "monitoring",
            "kubernetes",
            "extras",
            "ci",
            "license",
            "python_version",
        ),
    ]
    assert list(QUESTIONS)[-1] == "__check"


def test_each_question_and_choice_has_a_label_without_rich_markup() -> None:
    prompts = QUESTIONS["__prompts__"]
    assert list(prompts) == list(DEFAULTS)
    for question, known in KNOWN.items():
        assert list(prompts[question]) == ["__prompt__", *(choice.name for choice in known)]
        assert all(label.startswith(name) for name, label in prompts[question].items() if name != "__prompt__")
    for prompt in prompts.values():
        labels = [prompt] if isinstance(prompt, str) else prompt.values()
        assert not any("[" in label for label in labels)  # Rich parses square brackets as markup


def test_the_labels_of_choices_are_aligned() -> None:
    for question in ("framework", "broker", "result_backend", "beat_scheduler", "ci", "license"):
        labels = [label for name, label in QUESTIONS["__prompts__"][question].items() if name != "__prompt__"]
        assert {label.index(" - ") for label in labels} == {11}


@pytest.mark.parametrize("question", KNOWN)
def test_an_unknown_choice_is_rejected_with_the_valid_choices(question: str) -> None:
    names = [choice.name for choice in KNOWN[question]]
    expected = f"{question}: 'x' is not a valid choice (choose from {', '.join(names)}). Example: {names[0]}"
    assert list_errors(**{question: "x"}) == (expected,)


def test_the_plan_has_every_chosen_answer() -> None:
    plan = plan_of(broker="rabbitmq", result_backend="none")
    assert (plan.framework.name, plan.broker.label, plan.result_backend.name) == ("none", "RabbitMQ", "none")
    urls = [
        line for line in render(".env.example", broker="rabbitmq", result_backend="none").splitlines() if "://" in line
    ]
    assert urls == ["CELERY_BROKER_URL=amqp://background_jobs:${RABBITMQ_PASSWORD}@rabbitmq:5672//"]


def test_unsupported_combinations_are_rejected() -> None:
    for combination in UNSUPPORTED:
        for example in combination.examples:
            lines = list_errors(**example)
            assert any(combination.reason in line and line.endswith(combination.alternative) for line in lines)


def test_the_time_limit_on_sqs_fits_into_the_visibility_timeout() -> None:
    (combination,) = (combination for combination in UNSUPPORTED if combination.max_task_time_limit)
    limits = plan_of(broker="sqs", task_time_limit=str(combination.max_task_time_limit)).limits
    assert limits.task_time_limit + limits.sqs_visibility_timeout == 12 * 3600
    assert list_errors(broker="redis", task_time_limit=str((combination.max_task_time_limit or 0) + 1)) == ()


def test_a_solar_schedule_requires_a_scheduler_that_supports_it() -> None:
    jobs = "dusk = solar sunset 48.85 2.35; tidy = @daily"
    (line,) = list_errors(beat_scheduler="redbeat", beat_jobs=jobs)
    assert line == (
        "beat_jobs: 'dusk' has a solar schedule, which beat_scheduler 'redbeat' does not support."
        " Example: dusk = 0 6 * * *"
    )
    assert list_errors(beat_scheduler="file", beat_jobs=jobs) == ()
    assert list_errors(framework="django", beat_scheduler="database", beat_jobs=jobs) == ()


def test_a_broker_may_limit_the_number_of_queues() -> None:
    queues = ", ".join(f"q{number}" for number in range(46))
    (line,) = list_errors(broker="sqs", queues=queues)
    assert "has 46 queues; the maximum with broker 'sqs' is 45" in line
    assert list_errors(broker="rabbitmq", queues=queues) == ()


def test_an_unsupported_combination_is_one_error_with_an_alternative(monkeypatch: pytest.MonkeyPatch) -> None:
    unsupported = MappingProxyType({"result_backend": ("none",), "broker": ("rabbitmq",)})
    combination = Unsupported(unsupported, "is not supported with broker 'rabbitmq'", "redis")
    monkeypatch.setattr(answers, "UNSUPPORTED", (combination,))
    expected = "result_backend: 'none' is not supported with broker 'rabbitmq'. Example: redis"
    assert list_errors(result_backend="none", broker="rabbitmq") == (expected,)
    assert list_errors(result_backend="none", broker="redis") == ()
