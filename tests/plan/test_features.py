"""The features and the answers that enable them."""

from __future__ import annotations

import pytest

from local_extensions.answers import BOOLEAN_QUESTIONS
from local_extensions.catalogue import EXTRAS
from local_extensions.features import make_feature_table
from tests.support.answers import DEFAULTS, list_errors, plan_of

ANSWERS = {
    "framework": "none",
    "broker": "redis",
    "result_backend": "none",
    "beat_scheduler": "file",
    "ci": "none",
    "license": "MIT",
}
FLAGS = {"examples": False, "monitoring": False, "kubernetes": False}


def enabled(**answers: object) -> set[str]:
    """Return the names of the features that these answers and the defaults of `plan_of` enable."""
    return set(plan_of(**answers).enabled_features)


def test_the_default_answers_enable_these_features() -> None:
    assert enabled(**DEFAULTS) == {
        *("examples", "monitoring"),
        *("worker_only", "celeryconfig"),
        *("redis", "failed_tasks", "queue_lengths", "several_redis_databases", "redis_servers"),
        *("results", "redis_results", "stop_requests"),
        *("beat", "file_schedule", "beat_remote_control"),
        *("redis_examples", "result_examples"),
        *("flower", "beat_metrics", "redis_metrics", "oldest_message_age", "dead_letter_metrics"),
        *("github", "mit_license"),
    }


def test_django_with_sqs_enables_these_features() -> None:
    answers = {
        "framework": "django",
        "broker": "sqs",
        "result_backend": "database",
        "beat_jobs": "a = @daily",
        "beat_scheduler": "database",
        "kubernetes": True,
        "ci": "gitlab",
        "license": "Proprietary",
    }
    assert enabled(**answers) == {
        *("examples", "monitoring", "kubernetes"),
        *("django", "http_api", "periodic_tasks", "http_metrics", "session_cleanup"),
        *("sqs", "failed_tasks", "queue_lengths"),
        *("results", "django_results", "task_tracking", "django_tracking", "stop_requests"),
        *("beat", "database_schedule"),
        *("result_examples", "cancellation_examples"),
        *("beat_metrics", "sqs_metrics"),
        *("kubernetes_django", "kubernetes_sqs", "kubernetes_beat", "kubernetes_monitoring"),
        *("gitlab", "proprietary_license"),
    }


def test_fastapi_with_rabbitmq_enables_these_features() -> None:
    answers = {
        "framework": "fastapi",
        "broker": "rabbitmq",
        "result_backend": "database",
        "beat_jobs": "a = @daily",
        "beat_scheduler": "redbeat",
        "examples": False,
        "kubernetes": True,
        "ci": "none",
        "license": "Apache-2.0",
    }
    assert enabled(**answers) == {
        *("monitoring", "kubernetes"),
        *("fastapi", "celeryconfig", "http_api", "http_metrics"),
        *("rabbitmq", "queue_lengths"),
        *("results", "database_results", "fastapi_database"),
        *("task_tracking", "fastapi_tracking", "stop_requests"),
        *("beat", "redbeat", "periodic_tasks", "redis_servers"),
        *("flower", "beat_metrics", "rabbitmq_metrics", "dead_letter_metrics"),
        *("kubernetes_fastapi", "kubernetes_beat", "kubernetes_monitoring"),
        *("without_ci", "apache_license"),
    }


@pytest.mark.parametrize("extra", [extra.name for extra in EXTRAS])
def test_an_extra_is_a_feature_with_its_name(extra: str) -> None:
    assert extra in enabled(framework="django", extras=extra)
    assert extra not in enabled(framework="django")


@pytest.mark.parametrize("framework", ["none", "fastapi"])
def test_the_history_requires_a_database(framework: str) -> None:
    history = {"framework": framework, "extras": "tracing, history"}
    assert {"history", "history_sqlalchemy"} <= enabled(**history, result_backend="database")
    problem = "stores runs in a database and requires framework 'django' or result_backend 'database'"
    for result_backend in ("redis", "none"):
        assert list_errors(**history, result_backend=result_backend) == (
            f"extras: 'history' {problem}. Example: tracing",
        )


def test_the_history_includes_pauses() -> None:
    history = {"framework": "django", "extras": "history", "beat_jobs": "tick = @daily"}
    assert {"control", "control_django", "control_schedule", "periodic_tasks"} <= enabled(**history)
    assert "control_schedule" not in enabled(**history, beat_scheduler="database")
    assert "control_schedule" not in enabled(**{**history, "beat_jobs": ""})
    command = enabled(**{**history, "framework": "none", "result_backend": "database"})
    assert {"control", "control_sqlalchemy", "periodic_tasks"} <= command


@pytest.mark.parametrize("question", BOOLEAN_QUESTIONS)
def test_a_boolean_question_is_a_feature_with_its_name(question: str) -> None:
    assert set(FLAGS) == set(BOOLEAN_QUESTIONS)
    for answer in (True, False):
        flags = {**FLAGS, question: answer}
        table = make_feature_table(ANSWERS, flags, extras=(), beat=True, several_redis_databases=False)
        assert {name: table[name] for name in flags} == flags


@pytest.mark.parametrize(
    ("answers", "several"),
    [
        ({}, True),  # broker and results
        ({"result_backend": "none"}, False),
        ({"broker": "rabbitmq"}, False),
        ({"result_backend": "none", "beat_scheduler": "redbeat", "beat_jobs": "a = @daily"}, True),
        ({"result_backend": "none", "beat_scheduler": "redbeat"}, False),  # no jobs, so RedBeat is not used
        ({"broker": "rabbitmq", "beat_scheduler": "redbeat", "beat_jobs": "a = @daily"}, True),
    ],
)
def test_broker_results_and_redbeat_each_use_a_redis_database(answers: dict[str, str], several: bool) -> None:
    assert plan_of(**answers).features["several_redis_databases"] is several


@pytest.mark.parametrize("scheduler", ["file", "redbeat", "database"])
def test_without_jobs_all_beat_features_are_disabled(scheduler: str) -> None:
    beat = {"beat", "file_schedule", "redbeat", "database_schedule", "beat_remote_control", "beat_metrics"}
    beat |= {"periodic_tasks", "session_cleanup", "kubernetes_beat"}
    answers = {"framework": "django", "beat_scheduler": scheduler, "kubernetes": True}
    assert not enabled(**answers) & beat
    assert enabled(**answers, beat_jobs="a = @daily") & beat >= {"beat", "beat_metrics", "kubernetes_beat"}


@pytest.mark.parametrize("framework", ["none", "fastapi", "django"])
@pytest.mark.parametrize("results", ["redis", "database", "none"])
def test_a_framework_has_one_module_for_tasks_submitted_by_http(framework: str, results: str) -> None:
    modules = {"fastapi_tracking", "fastapi_submission", "django_tracking", "django_submission"}
    expected = {f"{framework}_{'submission' if results == 'none' else 'tracking'}"} if framework != "none" else set()
    assert enabled(framework=framework, result_backend=results) & modules == expected
