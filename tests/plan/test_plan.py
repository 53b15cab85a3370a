"""The plan: values that depend on several answers."""

from __future__ import annotations

import ast
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from cookiecutter.exceptions import FailedHookException
from cookiecutter.utils import create_env_with_context
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import DictLoader
from packaging.requirements import Requirement

from local_extensions.errors import InvalidAnswersError
from local_extensions.plan import make_plan
from tests.plan.test_beat import job_texts, mangled
from tests.support.answers import DEFAULTS, QUESTIONS, list_errors, plan_of
from tests.support.render import render, render_queue_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment


def make_answers(jobs: int, queues: int) -> dict[str, str]:
    """Return answers with a number of jobs and queues. Schedules differ, and each queue has jobs."""
    return {
        "queues": ", ".join(f"queue-{number}:2" for number in range(queues)),
        "beat_jobs": "; ".join(
            f"job-{number}({number}, label='x{number}') = {number % 60} {number % 24} {1 + number % 28} * *"
            f" -> queue-{number % queues}"
            for number in range(jobs)
        ),
    }


def measure_seconds(answers: Mapping[str, str]) -> float:
    started = time.process_time()
    plan_of(**answers)
    return time.process_time() - started


anything = st.one_of(
    st.text(max_size=30), st.none(), st.booleans(), st.integers(), st.lists(st.text(max_size=3), max_size=2)
)


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(list(DEFAULTS)), st.one_of(anything, mangled, job_texts())))
def test_any_answers_give_a_plan_or_one_line_per_error(
    answers: dict[str, object],
) -> None:
    try:
        make_plan({**DEFAULTS, **answers})
    except InvalidAnswersError as error:
        assert error.lines
        for line in error.lines:
            question, _, rest = line.partition(": ")
            assert question in DEFAULTS
            assert rest.startswith("'")
            assert ". Example: " in rest
            assert line.isprintable()


def test_missing_answers_are_rejected_by_question() -> None:
    with pytest.raises(InvalidAnswersError) as raised:
        make_plan({})
    named = {line.partition(":")[0] for line in raised.value.lines}
    assert named == set(DEFAULTS) - {"beat_jobs", "extras"}


def test_the_errors_of_all_questions_are_reported_together_once() -> None:
    lines = list_errors(project_slug="class", queues="a b, a b", beat_jobs="x = 1", timezone="", task_time_limit="0")
    assert [line.partition(":")[0] for line in lines] == [
        *("project_slug", "queues", "queues", "beat_jobs", "timezone", "task_time_limit"),
    ]


def test_jobs_are_assigned_to_queues_and_the_first_queue_has_ping() -> None:
    plan = plan_of(
        project_slug="shop",
        queues="high-priority, low",
        beat_jobs="a = @daily; send-mail(1, to='x') = @hourly -> low; c = every 5m -> high_priority",
    )
    high, low = plan.queues
    assert [job.name for job in plan.jobs] == ["a", "send-mail", "c"]
    assert ([job.name for job in high.jobs], [job.name for job in low.jobs]) == (["a", "c"], ["send-mail"])
    assert (high.tasks, low.tasks) == (("ping", "a", "c"), ("send_mail",))
    assert plan.task_names == tuple(
        f"shop.tasks.{task}" for task in ("high_priority.ping", "high_priority.a", "high_priority.c", "low.send_mail")
    )
    job = plan.jobs[1]
    assert (job.queue, job.module, job.function) == ("low", "low", "send_mail")
    assert job.task == "shop.tasks.low.send_mail"
    assert job.key == "send-mail"
    assert job.signature == "def send_mail(number: int, *, to: str) -> None:"
    assert job.call == 'low.send_mail(1, to="x")'
    assert job.one_line_call == 'send_mail(1, to="x")'


def schedule_entries(**answers: object) -> dict[str, list[tuple[str, str]]]:
    """Return the entries of schedule.py by key, each as pairs of a key and the code of its value."""
    code = render("_features/beat/src/<slug>/schedule.py", **answers)
    (schedule,) = (node.value for node in ast.parse(code).body if isinstance(node, ast.AnnAssign))
    assert isinstance(schedule, ast.Dict)
    found: dict[str, list[tuple[str, str]]] = {}
    for key, entry in zip(schedule.keys, schedule.values, strict=True):
        assert isinstance(key, ast.Constant)
        assert isinstance(entry, ast.Dict)
        pairs = zip(entry.keys, entry.values, strict=True)
        found[str(key.value)] = [
            (str(name.value), ast.get_source_segment(code, value) or "")
            for name, value in pairs
            if isinstance(name, ast.Constant)
        ]
    return found


def test_a_schedule_entry_has_task_schedule_arguments_queue_and_expiry() -> None:
    entries = schedule_entries(
        project_slug="shop",
        queues="high-priority, low",
        beat_jobs="a = @daily; send-mail(1, to='x') = @hourly -> low; c = every 5m -> high_priority",
    )
    assert list(entries) == ["a", "send-mail", "c"]
    assert entries["send-mail"] == [
        ("task", '"shop.tasks.low.send_mail"'),
        ("schedule", 'crontab(minute="0")'),
        ("args", "[1]"),
        ("kwargs", '{"to": "x"}'),
        ("options", '{"queue": "low", "expires": 3240}'),
    ]


def test_a_schedule_entry_omits_missing_arguments() -> None:
    (job,) = plan_of(beat_jobs="a = every 10s").jobs
    (entry,) = schedule_entries(beat_jobs="a = every 10s").values()
    assert [name for name, _ in entry] == ["task", "schedule", "options"]
    assert (job.args, job.kwargs, job.call) == ([], {}, "default.a()")
    first, second = schedule_entries(beat_jobs="a(1) = every 10s; b(c=2) = every 10s").values()
    assert [name for name, _ in first] == ["task", "schedule", "args", "options"]
    assert [name for name, _ in second] == ["task", "schedule", "kwargs", "options"]


@pytest.mark.parametrize(
    ("schedules", "imports"),
    [
        (["@daily"], "from typing import Any\n\nfrom celery.schedules import crontab\n"),
        (["every 5m"], "from datetime import timedelta\nfrom typing import Any\n"),
        (["solar sunset 1 2"], "from typing import Any\n\nfrom celery.schedules import solar\n"),
        (
            ["solar sunset 1 2", "every 5m", "@daily"],
            "from datetime import timedelta\nfrom typing import Any\n\nfrom celery.schedules import crontab, solar\n",
        ),
    ],
)
def test_the_schedule_imports_its_schedule_types(schedules: list[str], imports: str) -> None:
    jobs = "; ".join(f"job-{number} = {schedule}" for number, schedule in enumerate(schedules))
    code = render("_features/beat/src/<slug>/schedule.py", beat_jobs=jobs)
    assert code.split("\n\n", maxsplit=1)[1].startswith(f"{imports}\nBEAT_SCHEDULE")


def test_a_task_module_imports_only_used_names() -> None:
    path = "src/<slug>/tasks/{queue}.py"
    shared_task = "@shared_task(ignore_result=False)\n"

    modules = render_queue_files(path, queues="default, idle")
    assert modules["idle"] == '"""Tasks that run on the queue `idle`."""\n'
    assert modules["default"].partition(shared_task)[0] == (
        '"""Tasks that run on the queue `default`."""\n\nfrom celery import shared_task\n\n\n'
    )
    modules = render_queue_files(path, queues="default, busy", beat_jobs="a(None) = @daily; b(1) = @daily -> busy")
    assert modules["default"].partition(shared_task)[0] == (
        '"""Tasks that run on the queue `default`."""\n\nfrom typing import Any\n\nimport structlog\n'
        "from celery import shared_task\n\nlog = structlog.get_logger(__name__)\n\n\n"
    )
    assert modules["busy"].partition("@shared_task\n")[0] == (
        '"""Tasks that run on the queue `busy`."""\n\nimport structlog\n'
        "from celery import shared_task\n\nlog = structlog.get_logger(__name__)\n\n\n"
    )


def test_a_job_has_a_task_that_logs_its_arguments() -> None:
    modules = render_queue_files("src/<slug>/tasks/{queue}.py", beat_jobs="a = @daily; b(1, to='x') = every 5m")
    assert modules["default"].endswith(
        "\n\n@shared_task\ndef a() -> None:\n"
        '    """Periodic task (every day at 00:00), not implemented yet."""\n'
        '    log.info("task not implemented")\n'
        "\n\n@shared_task\ndef b(number: int, *, to: str) -> None:\n"
        '    """Periodic task (every 5 minutes), not implemented yet."""\n'
        '    log.info("task not implemented", arguments={"number": number, "to": to})\n'
    )


@pytest.mark.parametrize(
    ("results", "decorator"), [("redis", "@shared_task(ignore_result=False)"), ("none", "@shared_task")]
)
def test_only_the_first_queue_has_ping(results: str, decorator: str) -> None:
    modules = render_queue_files("src/<slug>/tasks/{queue}.py", queues="a, b", result_backend=results)
    assert "ping" not in modules["b"]
    _, code = modules["a"].split("\n\n\n")
    assert code.splitlines()[0] == decorator
    scope: dict[str, Any] = {}
    exec(code.partition("\n")[2], scope)  # noqa: S102
    assert (scope["ping"](), scope["ping"]("hello")) == ("pong", "hello")


def test_each_task_has_a_test_with_the_arguments_of_its_job() -> None:
    tests = render_queue_files(
        "tests/tasks/test_{queue}.py",
        project_slug="shop",
        queues="a-b, c, idle",
        beat_jobs="x(1, to='y') = @daily; z = @daily -> c",
    )
    assert list(tests) == ["a_b", "c"]
    assert tests["a_b"].partition("\n\n")[2] == (
        "from shop.tasks import a_b\n"
        '\n\ndef test_ping() -> None:\n    assert a_b.ping("hello") == "hello"\n'
        '\n\ndef test_x() -> None:\n    a_b.x(1, to="y")\n'
    )
    assert tests["c"].partition("\n\n")[2] == "from shop.tasks import c\n\n\ndef test_z() -> None:\n    c.z()\n"


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
def test_dependencies_depend_on_the_answers(answers: dict[str, str], celery: str, others: set[str]) -> None:
    plan = plan_of(**answers)
    requirements = {Requirement(text).name: Requirement(text) for text in plan.dependencies}
    assert str(requirements.pop("celery")) == celery
    always = {"prometheus-client", "pydantic-settings", "sentry-sdk", "structlog", "tzdata"}
    assert set(requirements) == always | others
    assert list(plan.dependencies) == sorted(plan.dependencies)
    assert list(plan.dev_dependencies) == sorted(plan.dev_dependencies)


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
@pytest.mark.parametrize("results", ["redis", "none"])
def test_the_redis_client_for_the_demo_is_always_installed(broker: str, results: str) -> None:
    plan = plan_of(broker=broker, result_backend=results)
    extras = [Requirement(text).extras for text in (*plan.dependencies, *plan.dev_dependencies) if text[:6] == "celery"]
    assert sum("redis" in extra for extra in extras) == 1


def environment(**files: str) -> Environment:
    """Return an environment as Cookiecutter creates it: with a loader only for the project's files."""
    environment: Environment = create_env_with_context({"cookiecutter": QUESTIONS})
    environment.loader = DictLoader(files) if files else None
    return environment


def test_the_plan_is_cached_and_the_check_renders_to_nothing() -> None:
    template = environment(file="{{ check() }}{{ plan().slug }} {{ plan() is sameas plan() }}").get_template("file")
    context = {"cookiecutter": {**DEFAULTS, "_extensions": [], "__check": ""}}
    assert template.render(context) == "background_jobs True"


def test_the_check_raises_an_exception_that_cookiecutter_prints_without_traceback() -> None:
    template = environment().from_string("{{ check() }}")
    with pytest.raises(FailedHookException) as failure:
        template.render(cookiecutter={**DEFAULTS, "project_slug": "class", "timezone": "x"})
    assert str(failure.value).splitlines() == [
        "project_slug: 'class' is a Python keyword. Example: class_app",
        "timezone: 'x' is not an IANA time zone name. Example: Europe/Paris",
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
def test_an_answer_is_never_rendered_as_a_template(answer: str) -> None:
    # Jinja normalizes line breaks. An answer with a line break is rejected later.
    expected = answer if "{{" in answer or "{%" in answer or "{#" in answer else re.sub(r"\r\n?", "\n", answer)
    assert environment().from_string(answer).render(cookiecutter=DEFAULTS) == expected


def test_computed_defaults_and_paths_are_rendered_as_templates() -> None:
    for name in ("project_slug", "beat_jobs", "__check"):
        rendered = environment().from_string(QUESTIONS[name]).render(cookiecutter=DEFAULTS)
        assert rendered == DEFAULTS.get(name, "")
    answered = {**DEFAULTS, "_template": "."}
    assert environment().from_string("{{cookiecutter.project_slug}}").render(cookiecutter=answered) == "background_jobs"
    path = "src/{{cookiecutter.project_slug}}/app.py"
    assert environment(file="").from_string(path).render(cookiecutter=DEFAULTS) == "src/background_jobs/app.py"


def test_the_time_for_a_plan_grows_linearly_with_its_jobs() -> None:
    measure_seconds(make_answers(10, 2))
    small = min(measure_seconds(make_answers(500, 200)) for _ in range(2))
    large = measure_seconds(make_answers(5000, 200))
    assert min(measure_seconds(make_answers(1000, 200)) for _ in range(3)) < 0.3
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
def test_parsing_time_is_limited_for_any_text(text: str) -> None:
    started = time.process_time()
    assert list_errors(beat_jobs=text, queues=text, author_email=text, timezone=text) != ()
    assert time.process_time() - started < 1


def diagram(**answers: object) -> list[str]:
    """Return the lines of the diagram in README.md."""
    readme = render("README.md", **answers)
    (lines,) = re.findall(r"^```mermaid\nflowchart LR\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    return [line.strip() for line in lines.splitlines()]


@pytest.mark.parametrize(("framework", "door"), [("none", None), ("fastapi", "api[API]"), ("django", "web[Django]")])
def test_the_diagram_contains_the_http_framework(framework: str, door: str | None) -> None:
    lines = [line for line in diagram(framework=framework) if line.startswith("clients")]

    assert lines == ([f"clients([HTTP clients]) --> {door} --> broker"] if door else [])


def test_the_diagram_contains_queues_beat_and_results() -> None:
    assert diagram(broker="rabbitmq", queues="high-priority:2, low@threads", beat_jobs="a = @daily") == [
        "callers([your code]) --> broker[(RabbitMQ)]",
        'broker -->|high-priority| high_priority_worker["worker high-priority<br>prefork, 2"]',
        'broker -->|low| low_worker["worker low<br>threads, 20"]',
        "beat([beat]) --> broker",
        "high_priority_worker & low_worker --> results[(Redis: results)]",
    ]
    assert diagram(result_backend="database", framework="django")[-1].endswith(
        "--> results[(Django's database: results)]"
    )
    assert diagram(queues="a:1", result_backend="none") == [
        "callers([your code]) --> broker[(Redis)]",
        'broker -->|a| a_worker["worker a<br>prefork, 1"]',
    ]
