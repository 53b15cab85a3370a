"""What is decided from the answers taken together."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from cookiecutter.exceptions import FailedHookException
from cookiecutter.utils import create_env_with_context
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import DictLoader
from packaging.requirements import Requirement

from local_extensions.errors import Refused
from local_extensions.plan import Limits, make_plan
from tests.plan.test_beat import job_texts, mangled
from tests.support.answers import DEFAULTS, QUESTIONS, mistakes_in, plan_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment


def many(jobs: int, queues: int) -> dict[str, str]:
    """Answers with this many jobs of different schedules, spread over this many queues."""
    return {
        "queues": ", ".join(f"queue-{number}:2" for number in range(queues)),
        "beat_jobs": "; ".join(
            f"job-{number}({number}, label='x{number}') = {number % 60} {number % 24} {1 + number % 28} * *"
            f" -> queue-{number % queues}"
            for number in range(jobs)
        ),
    }


def seconds_for(answers: Mapping[str, str]) -> float:
    started = time.process_time()
    plan_of(**answers)
    return time.process_time() - started


anything = st.one_of(
    st.text(max_size=30), st.none(), st.booleans(), st.integers(), st.lists(st.text(max_size=3), max_size=2)
)


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(list(DEFAULTS)), st.one_of(anything, mangled, job_texts())))
def test_whatever_the_answers_are_there_is_a_plan_or_a_refusal_with_a_line_for_each_mistake(
    answers: dict[str, object],
) -> None:
    try:
        make_plan({**DEFAULTS, **answers})
    except Refused as refused:
        assert refused.lines
        for line in refused.lines:
            question, _, rest = line.partition(": ")
            assert question in DEFAULTS
            assert rest.startswith("'")
            assert ". Write for example: " in rest
            assert line.isprintable()


def test_no_answers_at_all_are_refused_and_the_questions_are_named() -> None:
    with pytest.raises(Refused) as refusal:
        make_plan({})
    named = {line.partition(":")[0] for line in refusal.value.lines}
    assert named == set(DEFAULTS) - {"beat_jobs"}


def test_the_mistakes_of_all_questions_are_told_together_and_each_once() -> None:
    lines = mistakes_in(project_slug="class", queues="a b, a b", beat_jobs="x = 1", timezone="", task_time_limit="0")
    assert [line.partition(":")[0] for line in lines] == [
        *("project_slug", "queues", "queues", "beat_jobs", "timezone", "task_time_limit"),
    ]


def test_jobs_are_on_their_queues_and_the_first_queue_has_the_ping() -> None:
    plan = plan_of(
        project_slug="shop",
        queues="high-priority, low",
        beat_jobs="a = @daily; send-mail(1, to='x') = @hourly -> low; c = every 5m -> high_priority",
    )
    high, low = plan.queues
    assert [job.name for job in plan.jobs] == ["a", "send-mail", "c"]
    assert ([job.name for job in high.jobs], [job.name for job in low.jobs]) == (["a", "c"], ["send-mail"])
    assert ([task.function for task in high.tasks], [task.function for task in low.tasks]) == (
        ["ping", "a", "c"],
        ["send_mail"],
    )
    job = plan.jobs[1]
    assert (job.queue, job.module, job.function) == ("low", "low", "send_mail")
    assert job.task == "shop.tasks.low.send_mail"
    assert job.key == "send-mail"
    assert job.signature == "def send_mail(number: int, *, to: str) -> None:"
    assert job.call == job.one_line_call == 'send_mail(1, to="x")'
    assert job.entry == (
        ("task", '"shop.tasks.low.send_mail"'),
        ("schedule", 'crontab(minute="0")'),
        ("args", "[1]"),
        ("kwargs", '{"to": "x"}'),
        ("options", '{"queue": "low", "expires": 3240}'),
    )


def test_a_job_without_arguments_has_none_in_its_entry() -> None:
    (job,) = plan_of(beat_jobs="a = every 10s").jobs
    assert [name for name, _ in job.entry] == ["task", "schedule", "options"]
    assert (job.args, job.kwargs, job.call) == ("[]", "{}", "a()")


def test_a_queue_without_tasks_imports_nothing_and_one_with_jobs_imports_what_they_need() -> None:
    default, idle = plan_of(queues="default, idle", beat_jobs="").queues
    assert idle.preamble == ()
    assert default.preamble == ("", "from celery import shared_task")
    (default,) = plan_of(queues="default", beat_jobs="a(None) = @daily").queues
    assert default.preamble == (
        *("", "from typing import Any", ""),
        *("import structlog", "from celery import shared_task", "", "log = structlog.get_logger(__name__)"),
    )


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (1, Limits(1, 0.9, 900, 961, 301, 1, 21, 300)),
        (10, Limits(10, 9, 900, 970, 310, 10, 30, 300)),
        (300, Limits(300, 270, 900, 1260, 600, 300, 320, 300)),
        (43200, Limits(43200, 38880, 900, 44160, 43500, 600, 620, 3600)),
    ],
)
def test_every_limit_follows_from_the_time_limit(limit: int, expected: Limits) -> None:
    assert plan_of(task_time_limit=str(limit)).limits == expected


@given(st.integers(1, 43200))
def test_the_limits_are_in_their_order(limit: int) -> None:
    limits = Limits.of(limit)
    assert 0 < limits.soft_time_limit < limits.task_time_limit < limits.consumer_timeout
    assert limits.visibility_timeout > limits.task_time_limit + limits.longest_delay
    assert limits.warm_shutdown + 10 < limits.stop_grace


@pytest.mark.parametrize(
    ("answers", "celery", "others"),
    [
        ({}, "celery[redis]<5.8,>=5.7", {"hiredis"}),
        ({"broker": "rabbitmq"}, "celery[redis]<5.8,>=5.7", {"hiredis"}),
        ({"broker": "rabbitmq", "result_backend": "none"}, "celery<5.8,>=5.7", set()),
        ({"result_backend": "none", "queues": "a@gevent, b@gevent"}, "celery[gevent,redis]<5.8,>=5.7", {"hiredis"}),
        ({"beat_jobs": "a = solar sunset 1 1"}, "celery[redis,solar]<5.8,>=5.7", {"hiredis"}),
    ],
)
def test_the_dependencies_are_those_of_the_answers(answers: dict[str, str], celery: str, others: set[str]) -> None:
    plan = plan_of(**answers)
    requirements = {Requirement(text).name: Requirement(text) for text in plan.dependencies}
    assert str(requirements.pop("celery")) == celery
    always = {"prometheus-client", "pydantic-settings", "sentry-sdk", "structlog", "tzdata"}
    assert set(requirements) == always | others
    assert list(plan.dependencies) == sorted(plan.dependencies)
    assert list(plan.dev_dependencies) == sorted(plan.dev_dependencies)


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
@pytest.mark.parametrize("results", ["redis", "none"])
def test_the_demonstration_s_valkey_has_a_client_whatever_the_broker(broker: str, results: str) -> None:
    plan = plan_of(broker=broker, result_backend=results)
    extras = [Requirement(text).extras for text in (*plan.dependencies, *plan.dev_dependencies) if text[:6] == "celery"]
    assert sum("redis" in extra for extra in extras) == 1


def environment(**files: str) -> Environment:
    """Jinja as Cookiecutter sets it up: without a loader for the questions, with one for the project's files."""
    environment: Environment = create_env_with_context({"cookiecutter": QUESTIONS})
    environment.loader = DictLoader(files) if files else None
    return environment


def test_a_template_gets_the_plan_made_once_and_the_check_is_empty() -> None:
    template = environment(file="{{ check() }}{{ plan().slug }} {{ plan() is sameas plan() }}").get_template("file")
    context = {"cookiecutter": {**DEFAULTS, "_extensions": [], "__check": ""}}
    assert template.render(context) == "background_jobs True"


def test_the_check_raises_what_cookiecutter_shows_as_its_message_alone() -> None:
    template = environment().from_string("{{ check() }}")
    with pytest.raises(FailedHookException) as failure:
        template.render(cookiecutter={**DEFAULTS, "project_slug": "class", "timezone": "x"})
    assert str(failure.value).splitlines() == [
        "project_slug: 'class' is a Python keyword. Write for example: class_app",
        "timezone: 'x' is not the name of an IANA time zone. Write for example: Europe/Paris",
    ]
    assert failure.value.__suppress_context__


@given(
    st.one_of(
        st.text(max_size=20),
        st.text(alphabet="{}%#-\"'\\ ab|()\n", max_size=30),
        st.sampled_from(
            [
                "{{ 1 }}",
                "{{ x }}",
                "{{cookiecutter.project_slug}}",
                "{% raw %}",
                "{# x #}",
                "{{ '}}' }}",
                "{{ 🎉",
                "\r\n{{\n",
                "\ud800{{",
            ]
        ),
    )
)
def test_an_answer_is_text_and_never_run(answer: str) -> None:
    # Jinja makes one kind of line break of all; an answer with any is refused later.
    expected = answer if "{{" in answer or "{%" in answer or "{#" in answer else re.sub(r"\r\n?", "\n", answer)
    assert environment().from_string(answer).render(cookiecutter=DEFAULTS) == expected


def test_our_own_defaults_and_the_paths_of_files_are_still_run() -> None:
    for name in ("project_slug", "beat_jobs", "__check"):
        rendered = environment().from_string(QUESTIONS[name]).render(cookiecutter=DEFAULTS)
        assert "{{" not in rendered
    answered = {**DEFAULTS, "_template": "."}
    assert environment().from_string("{{cookiecutter.project_slug}}").render(cookiecutter=answered) == "background_jobs"
    path = "src/{{cookiecutter.project_slug}}/app.py"
    assert environment(file="").from_string(path).render(cookiecutter=DEFAULTS) == "src/background_jobs/app.py"


def test_a_thousand_jobs_on_two_hundred_queues_are_planned_quickly_and_ten_times_more_take_ten_times_longer() -> None:
    seconds_for(many(10, 2))
    small = min(seconds_for(many(500, 200)) for _ in range(2))
    large = seconds_for(many(5000, 200))
    assert min(seconds_for(many(1000, 200)) for _ in range(3)) < 0.3
    assert large < 25 * small


@pytest.mark.parametrize(
    "text",
    [
        "a(" * 20_000,
        "a(\n" * 20_000,
        'a("\\"' * 20_000,
        "a('" * 20_000,
        "a(1)" * 20_000,
        "=" * 60_000,
        ";" * 60_000,
        "a = " + "1-" * 30_000,
        "a = " + "1," * 30_000,
        "a = " + "\u0661" * 60_000,
        "a = every " + "0" * 60_000 + "x",
        "a" * 60_000 + "!",
    ],
)
def test_no_text_takes_long(text: str) -> None:
    started = time.process_time()
    assert mistakes_in(beat_jobs=text, queues=text, author_email=text, timezone=text) != ()
    assert time.process_time() - started < 1


@pytest.mark.parametrize(("framework", "door"), [("none", None), ("fastapi", "api[API]"), ("django", "web[Django]")])
def test_the_picture_shows_who_answers_http(framework: str, door: str | None) -> None:
    lines = [line for line in plan_of(framework=framework).diagram if line.startswith("clients")]

    assert lines == ([f"clients([HTTP clients]) --> {door} --> broker"] if door else [])
