"""Static checks of each variant: its exact files, no template syntax, and linters for each file type."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shutil
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest
import yaml
from packaging.requirements import Requirement

from tests.conftest import require_program
from tests.support.corpus import Corpus
from tests.support.environments import install
from tests.support.lint import lint
from tests.support.manifests import assert_valid, render_kustomization
from tests.support.parse import assert_every_file_parses
from tests.support.variants import (
    DEPENDENCIES,
    SHAPES,
    all_variants,
    choices,
    core_answers,
    cover,
    few_variants,
    questions,
    shaped_variants,
    suite_variants,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bakery import Bakery
    from tests.support.project import BakedProject
    from tests.support.variants import Variant

# The files of each project; {slug} is its package.
FILES = {
    ".devcontainer/devcontainer.json",
    ".dockerignore",
    ".editorconfig",
    ".gitattributes",
    ".env.example",
    ".gitignore",
    ".pre-commit-config.yaml",
    "AGENTS.md",
    "Dockerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "compose.yaml",
    "deploy/systemd/install.sh",
    "deploy/systemd/journald@{slug}.conf",
    "deploy/systemd/{slug}-.service.d/50-common.conf",
    "deploy/systemd/{slug}-worker-.service.d/50-worker.conf",
    "deploy/systemd/{slug}.sysusers.conf",
    "deploy/systemd/{slug}.target",
    "deploy/systemd/{slug}.tmpfiles.conf",
    "docs/configuration.md",
    "docs/deployment.md",
    "docs/development.md",
    "deploy/uv/requirements.txt",
    "docs/operations.md",
    "docs/releases.md",
    "pyproject.toml",
    "scripts/demo.py",
    "scripts/dev.py",
    "scripts/embedded.py",
    "src/{slug}/__init__.py",
    "src/{slug}/alerts.py",
    "src/{slug}/application.py",
    "src/{slug}/base_task.py",
    "src/{slug}/celery.py",
    "src/{slug}/celery_app.py",
    "src/{slug}/commands.py",
    "src/{slug}/celeryconfig.py",
    "src/{slug}/consumer.py",
    "src/{slug}/dead_letter_store.py",
    "src/{slug}/dead_letters.py",
    "src/{slug}/broker_checks.py",
    "src/{slug}/doctor.py",
    "src/{slug}/findings.py",
    "src/{slug}/tls_checks.py",
    "src/{slug}/errors.py",
    "src/{slug}/health.py",
    "src/{slug}/logs.py",
    "src/{slug}/py.typed",
    "src/{slug}/queues.py",
    "src/{slug}/settings.py",
    "src/{slug}/signals.py",
    "src/{slug}/tasks/__init__.py",
    "tests/__init__.py",
    "tests/conftest.py",
    "tests/tasks/__init__.py",
    "tests/test_alerts.py",
    "tests/test_application.py",
    "tests/test_base_task.py",
    "tests/test_celeryconfig.py",
    "tests/fake_dead_letters.py",
    "tests/test_dead_letters.py",
    "tests/test_deploy.py",
    "tests/test_broker_checks.py",
    "tests/test_doctor.py",
    "tests/test_tls_checks.py",
    "tests/test_health.py",
    "tests/test_logs.py",
    "tests/test_queues.py",
    "tests/test_sentry.py",
    "tests/test_settings.py",
    "tests/test_signals.py",
}

# The files of each queue: {queue} is its name, {module} its task module.
FILES_OF_A_QUEUE = {
    "deploy/systemd/{slug}-worker-{queue}@.service",
    "src/{slug}/tasks/{module}.py",
}
FILES_OF_A_QUEUE_ON_KUBERNETES = {
    "deploy/kubernetes/workers/{dns_name}/kustomization.yaml",
}
# The files of a queue with tasks: the first queue, which has `ping`, and queues with beat jobs.
FILES_OF_A_QUEUE_WITH_TASKS = {"tests/tasks/test_{module}.py"}

# Examples that require Redis as broker or result backend.
EXAMPLES_ON_REDIS = {
    "src/{slug}/examples/idempotency.py",
    "src/{slug}/examples/store.py",
    "src/{slug}/examples/unique.py",
    "tests/examples/conftest.py",
    "tests/examples/test_idempotency.py",
    "tests/examples/test_unique.py",
}

# The files of both frameworks for tasks by HTTP.
HTTP_API = {
    "docs/http-api.md",
    "src/{slug}/api_keys.py",
    "src/{slug}/http_dead_letters.py",
    "src/{slug}/problems.py",
    "src/{slug}/readiness.py",
    "src/{slug}/request_log.py",
    "src/{slug}/submissions.py",
    "tests/test_api_keys.py",
    "tests/test_http_dead_letters.py",
    "tests/test_readiness.py",
    "tests/test_request_log.py",
    "tests/test_submissions.py",
}

# The files of a project that uses Redis for any purpose.
REDIS_SERVERS = {"src/{slug}/redis_servers.py", "tests/test_redis_servers.py"}

# The files of a scheduler that skips paused periodic tasks.
PAUSABLE_BEAT = {"src/{slug}/control/beat.py", "tests/control/test_beat.py"}

# The files of an answer or of a combination of answers.
FILES_OF_ANSWERS: list[tuple[dict[str, str | bool], set[str]]] = [
    (
        {"broker": "redis"},
        {
            "scripts/drill.py",
            "src/{slug}/failed_tasks.py",
            "src/{slug}/redis_memory.py",
            "src/{slug}/redis_transport.py",
            "src/{slug}/scheduled.py",
            "tests/test_dead_letter_store.py",
            "tests/test_redis_transport.py",
        },
    ),
    (
        {"broker": "rabbitmq"},
        {
            "deploy/rabbitmq/rabbitmq.conf",
            "src/{slug}/delays.py",
            "src/{slug}/quorum.py",
            "src/{slug}/rabbitmq_transport.py",
            "tests/test_consumer_timeout.py",
            "tests/test_delays.py",
            "tests/test_rabbitmq_transport.py",
        },
    ),
    (
        {"extras": "tracing"},
        {"src/{slug}/tracing.py", "tests/test_tracing.py"},
    ),
    (
        {"extras": "history"},
        {
            "src/{slug}/control/__init__.py",
            "src/{slug}/control/__main__.py",
            "src/{slug}/control/actions.py",
            "src/{slug}/control/pauses.py",
            "src/{slug}/control/store.py",
            "src/{slug}/control/watcher.py",
            "tests/control/__init__.py",
            "tests/control/test_actions.py",
            "tests/control/test_watcher.py",
            "src/{slug}/history/__init__.py",
            "src/{slug}/history/__main__.py",
            "src/{slug}/history/recorder.py",
            "src/{slug}/history/runs.py",
            "src/{slug}/history/store.py",
            "tests/history/__init__.py",
            "tests/history/conftest.py",
            "tests/history/test_recorder.py",
            "tests/history/test_store.py",
        },
    ),
    (
        {"extras": "history", "framework": "django"},
        {
            "src/{slug}/control/admin.py",
            "src/{slug}/control/apps.py",
            "src/{slug}/control/migrations/0001_initial.py",
            "src/{slug}/control/migrations/__init__.py",
            "src/{slug}/control/models.py",
            "src/{slug}/control/templates/admin/control/pause/change_list.html",
            "src/{slug}/web/control.py",
            "tests/web/test_control.py",
            "src/{slug}/history/admin.py",
            "src/{slug}/history/apps.py",
            "src/{slug}/history/migrations/0001_initial.py",
            "src/{slug}/history/migrations/__init__.py",
            "src/{slug}/history/models.py",
            "src/{slug}/web/runs.py",
            "tests/web/test_runs.py",
        },
    ),
    (
        {"extras": "history", "framework": "fastapi"},
        {
            "src/{slug}/api/control.py",
            "src/{slug}/api/runs.py",
            "tests/api/test_control.py",
            "tests/api/test_runs.py",
        },
    ),
    ({"extras": "history", "beat": True}, {"src/{slug}/periodic_tasks.py", "tests/test_periodic_tasks.py"}),
    ({"extras": "history", "beat": True, "beat_scheduler": "file"}, PAUSABLE_BEAT),
    ({"extras": "history", "beat": True, "beat_scheduler": "redbeat"}, PAUSABLE_BEAT),
    (
        {"extras": "outbox"},
        {
            "deploy/systemd/{slug}-outbox.service",
            "src/{slug}/outbox/__init__.py",
            "src/{slug}/outbox/messages.py",
            "src/{slug}/outbox/models.py",
            "src/{slug}/outbox/relay.py",
            "src/{slug}/outbox/store.py",
            "tests/outbox/__init__.py",
            "tests/outbox/conftest.py",
            "tests/outbox/test_outbox.py",
        },
    ),
    (
        {"extras": "outbox", "framework": "django"},
        {
            "src/{slug}/outbox/admin.py",
            "src/{slug}/outbox/apps.py",
            "src/{slug}/outbox/management/__init__.py",
            "src/{slug}/outbox/management/commands/__init__.py",
            "src/{slug}/outbox/management/commands/relay_outbox.py",
            "src/{slug}/outbox/migrations/0001_initial.py",
            "src/{slug}/outbox/migrations/__init__.py",
            "tests/outbox/test_django.py",
        },
    ),
    (
        {"extras": "outbox", "framework": "fastapi"},
        {"src/{slug}/outbox/__main__.py", "tests/outbox/test_sqlalchemy.py"},
    ),
    ({"extras": "outbox", "monitoring": True}, {"src/{slug}/outbox_metrics.py"}),
    ({"extras": "outbox", "kubernetes": True}, {"deploy/kubernetes/base/outbox.yaml"}),
    (
        {"extras": "limits"},
        {"src/{slug}/limits.py", "tests/test_limits.py"},
    ),
    (
        {"broker": "sqs"},
        {
            "deploy/aws/queues.yaml",
            "src/{slug}/failed_tasks.py",
            "src/{slug}/sqs.py",
            "src/{slug}/sqs_transport.py",
            "tests/test_sqs.py",
        },
    ),
    ({"broker": "redis"}, REDIS_SERVERS),
    ({"result_backend": "redis"}, REDIS_SERVERS),
    ({"beat": True, "beat_scheduler": "redbeat"}, REDIS_SERVERS),
    ({"examples": True, "broker": "redis"}, EXAMPLES_ON_REDIS),
    ({"examples": True, "result_backend": "redis"}, EXAMPLES_ON_REDIS),
    ({"results": True}, {"src/{slug}/result_store.py", "tests/test_result_store.py", "tests/test_results.py"}),
    (
        {"examples": True},
        {
            "src/{slug}/examples/__init__.py",
            "src/{slug}/examples/payments.py",
            "src/{slug}/examples/rates.py",
            "src/{slug}/examples/retries.py",
            "src/{slug}/examples/routing.py",
            "tests/examples/__init__.py",
            "tests/examples/test_payments.py",
            "tests/examples/test_rates.py",
            "tests/examples/test_retries.py",
            "tests/examples/test_routing.py",
        },
    ),
    (
        {"examples": True, "results": True},
        {
            "src/{slug}/examples/progress.py",
            "src/{slug}/examples/workflows.py",
            "tests/examples/test_progress.py",
            "tests/examples/test_workflows.py",
        },
    ),
    (
        {"framework": "fastapi"},
        {
            "deploy/systemd/{slug}-api.service",
            "src/{slug}/api/__init__.py",
            "src/{slug}/api/dead_letters.py",
            "src/{slug}/api/health.py",
            "src/{slug}/api/middleware.py",
            "src/{slug}/api/overview.py",
            "src/{slug}/api/problems.py",
            "src/{slug}/api/security.py",
            "src/{slug}/api/tasks.py",
            "src/{slug}/probe.py",
            "tests/api/__init__.py",
            "tests/api/conftest.py",
            "tests/api/test_api.py",
            "tests/api/test_dead_letters.py",
            "tests/api/test_deploy.py",
            *HTTP_API,
        },
    ),
    *(
        ({"framework": framework, "beat": True}, {"src/{slug}/periodic_tasks.py", "tests/test_periodic_tasks.py"})
        for framework in ("fastapi", "django")
    ),
    ({"framework": "django", "beat": True}, {"src/{slug}/users/tasks.py", "tests/test_sessions.py"}),
    *(
        ({"framework": framework, "monitoring": True}, {"src/{slug}/http_metrics.py", "tests/test_http_metrics.py"})
        for framework in ("fastapi", "django")
    ),
    (
        {"framework": "fastapi", "results": True},
        {
            "src/{slug}/tracking.py",
            "tests/api/test_tasks.py",
            "tests/test_tracking.py",
        },
    ),
    (
        {"framework": "fastapi", "results": True, "examples": True},
        {"src/{slug}/examples/stopping.py", "tests/examples/test_stopping.py"},
    ),
    (
        {"framework": "django"},
        {
            "deploy/systemd/{slug}-migrate.service",
            "deploy/systemd/{slug}-web.service",
            "manage.py",
            "src/{slug}/asgi.py",
            "src/{slug}/django_tasks.py",
            "src/{slug}/reports/__init__.py",
            "src/{slug}/reports/admin.py",
            "src/{slug}/reports/apps.py",
            "src/{slug}/reports/migrations/0001_initial.py",
            "src/{slug}/reports/migrations/__init__.py",
            "src/{slug}/reports/models.py",
            "src/{slug}/reports/tasks.py",
            "src/{slug}/settings/__init__.py",
            "src/{slug}/settings/base.py",
            "src/{slug}/settings/celery.py",
            "src/{slug}/settings/development.py",
            "src/{slug}/settings/environment.py",
            "src/{slug}/settings/production.py",
            "src/{slug}/settings/test.py",
            "src/{slug}/urls.py",
            "src/{slug}/users/__init__.py",
            "src/{slug}/users/admin.py",
            "src/{slug}/users/apps.py",
            "src/{slug}/users/migrations/0001_initial.py",
            "src/{slug}/users/migrations/__init__.py",
            "src/{slug}/users/models.py",
            "src/{slug}/web/__init__.py",
            "src/{slug}/web/admin.py",
            "src/{slug}/web/api.py",
            "src/{slug}/web/apps.py",
            "src/{slug}/web/checks.py",
            "src/{slug}/web/dead_letters.py",
            "src/{slug}/web/gunicorn.py",
            "src/{slug}/web/health.py",
            "src/{slug}/web/management/__init__.py",
            "src/{slug}/web/management/commands/__init__.py",
            "src/{slug}/web/management/commands/wait_for_database.py",
            "src/{slug}/web/middleware.py",
            "src/{slug}/web/migrations/0001_initial.py",
            "src/{slug}/web/migrations/0002_deadletter.py",
            "src/{slug}/web/migrations/__init__.py",
            "src/{slug}/web/models.py",
            "src/{slug}/web/overview.py",
            "src/{slug}/web/problems.py",
            "src/{slug}/web/security.py",
            "src/{slug}/web/tasks.py",
            "src/{slug}/wsgi.py",
            "tests/factories.py",
            "tests/reports/__init__.py",
            "tests/reports/test_reports.py",
            "tests/test_django.py",
            "tests/test_django_tasks.py",
            "tests/web/__init__.py",
            "tests/web/conftest.py",
            "tests/web/test_api.py",
            "tests/web/test_dead_letters.py",
            "tests/web/test_deploy.py",
            "tests/web/test_health.py",
            "tests/web/test_middleware.py",
            *HTTP_API,
        },
    ),
    (
        {"framework": "django", "results": True},
        {
            "src/{slug}/tracking.py",
            "tests/test_tracking.py",
            "tests/web/test_tracking.py",
        },
    ),
    (
        {"framework": "django", "results": True, "examples": True},
        {"src/{slug}/examples/stopping.py", "tests/examples/test_stopping.py"},
    ),
    ({"examples": True, "results": True}, {"src/{slug}/stoppable_task.py"}),
    ({"framework": "fastapi", "results": True}, {"src/{slug}/stoppable_task.py"}),
    ({"framework": "django", "results": True}, {"src/{slug}/stoppable_task.py"}),
    ({"framework": "django", "result_backend": "database"}, {"conftest.py", "src/{slug}/results.py"}),
    ({"framework": "fastapi", "result_backend": "database"}, {"src/{slug}/database.py", "tests/test_database.py"}),
    (
        {"beat_scheduler": "database", "beat": True},
        {
            "src/{slug}/periodic/__init__.py",
            "src/{slug}/periodic/apps.py",
            "src/{slug}/periodic/management/__init__.py",
            "src/{slug}/periodic/management/commands/__init__.py",
            "src/{slug}/periodic/management/commands/sync_schedule.py",
            "src/{slug}/periodic/migrations/0001_initial.py",
            "src/{slug}/periodic/migrations/__init__.py",
            "src/{slug}/periodic/models.py",
            "src/{slug}/periodic/scheduler.py",
            "src/{slug}/periodic/sync.py",
            "tests/periodic/__init__.py",
            "tests/periodic/test_scheduler.py",
            "tests/periodic/test_sync.py",
            "tests/test_database_schedule.py",
        },
    ),
    ({"framework": "fastapi"}, {"src/{slug}/queue_lengths.py"}),
    ({"framework": "django"}, {"src/{slug}/queue_lengths.py"}),
    ({"monitoring": True}, {"src/{slug}/queue_lengths.py"}),
    (
        {"monitoring": True},
        {
            "deploy/monitoring/grafana/dashboards.yaml",
            "deploy/monitoring/grafana/dashboards/queues.json",
            "deploy/monitoring/grafana/datasource.yaml",
            "deploy/monitoring/prometheus.yaml",
            "deploy/monitoring/rules.yaml",
            "deploy/monitoring/rules_test.yaml",
            "deploy/monitoring/targets.yaml",
            "deploy/systemd/{slug}-exporter.service",
            "docs/runbook.md",
            "src/{slug}/broker_metrics.py",
            "src/{slug}/exporter.py",
            "src/{slug}/metrics.py",
            "tests/test_monitoring.py",
        },
    ),
    ({"monitoring": True, "beat": True}, {"src/{slug}/beat_metrics.py", "tests/test_beat_metrics.py"}),
    ({"monitoring": True, "broker": "redis"}, {"deploy/systemd/{slug}-flower.service", "tests/test_broker_metrics.py"}),
    ({"monitoring": True, "broker": "rabbitmq"}, {"deploy/systemd/{slug}-flower.service"}),
    ({"monitoring": True, "broker": "sqs"}, {"deploy/aws/alarms.yaml", "tests/test_alarms.py"}),
    (
        {"kubernetes": True},
        {
            "deploy/kubernetes/.gitignore",
            "deploy/kubernetes/base/config.env",
            "deploy/kubernetes/base/kustomization.yaml",
            "deploy/kubernetes/base/namespace.yaml",
            "deploy/kubernetes/base/network-policies.yaml",
            "deploy/kubernetes/base/pod.yaml",
            "deploy/kubernetes/base/service-account.yaml",
            "deploy/kubernetes/overlays/production/kustomization.yaml",
            "deploy/kubernetes/overlays/staging/kustomization.yaml",
            "deploy/kubernetes/secrets.env.example",
            "deploy/kubernetes/without-keda/kustomization.yaml",
            "deploy/kubernetes/worker/deployment.yaml",
            "deploy/kubernetes/worker/kustomization.yaml",
            "deploy/kubernetes/worker/name-reference.yaml",
            "deploy/kubernetes/worker/scaled-object.yaml",
            "docs/kubernetes.md",
            "tests/test_kubernetes.py",
        },
    ),
    (
        {"kubernetes": True, "broker": "redis"},
        {"deploy/kubernetes/base/keda.yaml", "deploy/kubernetes/keda.env.example"},
    ),
    (
        {"kubernetes": True, "broker": "sqs"},
        {"deploy/kubernetes/base/keda.yaml", "deploy/kubernetes/keda.env.example"},
    ),
    ({"kubernetes": True, "framework": "fastapi"}, {"deploy/kubernetes/base/api.yaml"}),
    (
        {"kubernetes": True, "framework": "django"},
        {
            "deploy/kubernetes/base/migrate.yaml",
            "deploy/kubernetes/base/wait-for-migrations.yaml",
            "deploy/kubernetes/base/web.yaml",
        },
    ),
    (
        {"kubernetes": True, "monitoring": True},
        {
            "deploy/kubernetes/base/exporter.yaml",
            "deploy/kubernetes/monitoring/kustomization.yaml",
            "deploy/kubernetes/monitoring/network-policy.yaml",
            "deploy/kubernetes/monitoring/pod-monitor.yaml",
            "deploy/kubernetes/monitoring/prometheus-rule.yaml",
        },
    ),
    ({"kubernetes": True, "beat": True}, {"deploy/kubernetes/base/beat.yaml"}),
    ({"ci": "github"}, {".github/dependabot.yml", ".github/workflows/ci.yml", ".github/workflows/release.yml"}),
    ({"ci": "gitlab"}, {".gitlab-ci.yml", "renovate.json"}),
]
# The files in the settings package of Django.
NOT_IN_DJANGO = {"src/{slug}/celeryconfig.py", "src/{slug}/settings.py"}
# The files of periodic tasks, for all answers or for one answer.
FILES_OF_A_SCHEDULER = {"src/{slug}/beat.py", "tests/test_beat.py"}
FILES_OF_BEAT = {
    "deploy/systemd/{slug}-beat.service",
    "src/{slug}/schedule.py",
    "tests/test_beat_health.py",
    "tests/test_schedule.py",
}

RESIDUE = {
    "Jinja": re.compile(r"(?<!\$)\{\{(?! \$(labels|value)\b)|\{%|%\}|\{#"),  # except Prometheus templates
    "the template": re.compile(
        r"cookiecutter|(?<!\w)_features\b|\{queue\}\.\w+$|\bplan\(\)", re.IGNORECASE | re.MULTILINE
    ),
    "something unfinished": re.compile(r"\b(TODO|FIXME|XXX|TBD)\b"),
    "an object that was printed": re.compile(r"<[\w.]+ object at 0x|\bUndefined\b|\b(BeatJob|Broker|Limits|Url)\(\w+="),
    "white space at the end of a line": re.compile(r"[ \t\r]+$", re.MULTILINE),
    "a run of blank lines": re.compile(r"\n\n\n\n"),
    "blank lines at the beginning": re.compile(r"\A\n"),
    "no line break at the end, or several": re.compile(r"[^\n]\Z|\n\n\Z"),
}
# Only Python files may have two consecutive blank lines.
BLANK_LINES = re.compile(r"\n\n\n")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize `variant` with all variants, and `shaped` with a variant of each shape."""
    quick = metafunc.config.getoption("quick")
    if "variant" in metafunc.fixturenames:
        metafunc.parametrize("variant", few_variants() if quick else all_variants(), ids=str)
    if "shaped" in metafunc.fixturenames:
        metafunc.parametrize("shaped", few_variants() if quick else shaped_variants(), ids=str)


@pytest.fixture(scope="session")
def corpus(bake: Bakery, request: pytest.FixtureRequest) -> Corpus:
    """Return the files of all variants."""
    variants = few_variants() if request.config.getoption("quick") else all_variants()
    return Corpus(bake(**variant.answers) for variant in variants)


def test_few_variants_cover_each_answer_and_each_shape() -> None:
    few = few_variants()

    assert {each.shape for each in few} == {each.shape for each in suite_variants()} == set(SHAPES)
    for name, offered in choices().items():
        found = {each.answers.get(name, offered[0]) for each in few}
        assert found >= set(offered) if name == "extras" else found == set(offered)  # some variants drop some extras


def test_each_three_dependencies_and_each_two_answers_meet_in_a_suite() -> None:
    suites = [set(each.answers.items()) for each in suite_variants()]

    for answers in core_answers():
        dependencies = [(name, answers[name]) for name in DEPENDENCIES]
        for meeting in (*itertools.combinations(dependencies, 3), *itertools.combinations(answers.items(), 2)):
            assert any(suite.issuperset(meeting) for suite in suites), meeting


def answer(project: BakedProject, question: str) -> str | bool:
    """Return the answer of a project or its default, or a value computed from its answers."""
    if question == "beat":
        return bool(answer(project, "beat_jobs"))
    if question == "results":
        return answer(project, "result_backend") != "none"
    if question == "several_databases":
        redis = [("broker", "redis"), ("result_backend", "redis")]
        redis += [("beat_scheduler", "redbeat")] if answer(project, "beat") else []
        return sum(answer(project, question) == chosen for question, chosen in redis) > 1
    if question in project.answers:
        return project.answers[question]
    default: str | bool = choices()[question][0] if question in choices() else questions()[question]
    return default


def is_chosen(project: BakedProject, question: str, choice: str | bool) -> bool:
    """Return whether a choice is the answer of a project, or one of its extras."""
    given = answer(project, question)
    return choice in str(given).split(", ") if question == "extras" else choice == given


def queues_of(project: BakedProject) -> list[str]:
    """Return the names of the queues of a project."""
    return [re.split("[:@]", piece)[0].strip() for piece in str(answer(project, "queues")).split(",")]


def expected_files(project: BakedProject) -> set[str]:
    """Return the exact files of a variant."""
    names = set(FILES)
    for answers, files in FILES_OF_ANSWERS:
        if all(is_chosen(project, question, chosen) for question, chosen in answers.items()):
            names |= files
    if answer(project, "framework") == "django":
        names -= NOT_IN_DJANGO
    if answer(project, "beat"):
        names |= FILES_OF_BEAT
        names |= FILES_OF_A_SCHEDULER if answer(project, "beat_scheduler") != "database" else set()
    with_tasks = {queues_of(project)[0], *re.findall(r"-> *([\w-]+)", str(project.answers.get("beat_jobs", "")))}
    if "beat_jobs" not in project.answers:
        with_tasks.add(queues_of(project)[-1])
    for queue in queues_of(project):
        module = queue.replace("-", "_")
        of_queue = FILES_OF_A_QUEUE | (FILES_OF_A_QUEUE_WITH_TASKS if queue in with_tasks else set())
        of_queue |= FILES_OF_A_QUEUE_ON_KUBERNETES if answer(project, "kubernetes") else set()
        dns_name = queue.replace("_", "-")
        if len(dns_name) > 40:  # Kubernetes limits names
            dns_name = f"{dns_name[:33]}-{hashlib.sha256(dns_name.encode()).hexdigest()[:6]}"
        words = {"{queue}": queue, "{module}": module, "{dns_name}": dns_name}
        for word, value in words.items():
            of_queue = {name.replace(word, value) for name in of_queue}
        names |= of_queue
    return {name.replace("{slug}", project.slug) for name in names}


def test_a_variant_has_exactly_its_files(variant: Variant, bake: Bakery) -> None:
    project = bake(**variant.answers)

    assert set(project.files()) == expected_files(project)
    empty_folders = [path for path in project.path.rglob("*") if path.is_dir() and not any(path.iterdir())]
    assert not empty_folders


def test_each_file_of_a_variant_parses(variant: Variant, bake: Bakery) -> None:
    assert_every_file_parses(bake(**variant.answers).path)


@pytest.mark.xdist_group("corpus")
def test_no_file_contains_template_syntax(corpus: Corpus) -> None:
    found = []
    for path in corpus.list_distinct_files("*"):
        text = path.read_text(encoding="utf-8")
        patterns = RESIDUE if path.suffix == ".py" else RESIDUE | {"a run of blank lines": BLANK_LINES}
        if path.suffix == ".html":  # a template of Django, whose syntax is the same
            patterns = {name: pattern for name, pattern in patterns.items() if name != "Jinja"}
        if path.name == "LICENSE":
            patterns = {
                name: pattern for name, pattern in patterns.items() if "beginning" not in name
            }  # in the Apache License
        found += [f"{path}: {name}" for name, pattern in patterns.items() if text and pattern.search(text)]
        if not text and path.name not in {"__init__.py", "py.typed"}:
            found.append(f"{path} is empty")
    assert not found, "\n".join(found)


@pytest.mark.xdist_group("corpus")
@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_accepts_each_variant(command: list[str], corpus: Corpus) -> None:
    # Check complete projects: each has its own pyproject.toml and modules.
    lint("ruff", *command, "--no-cache", *(project.path for project in corpus.projects))


@pytest.mark.xdist_group("corpus")
@pytest.mark.parametrize(
    ("command", "files"),
    [
        ("hadolint", "Dockerfile"),
        ("shellcheck", "*.sh"),
        ("shfmt --diff --indent 2 --case-indent", "*.sh"),
        ("yamllint --strict", "*.y*ml"),
        ("cfn-lint", "deploy/aws/*.yaml"),
        ("check-jsonschema --builtin-schema vendor.compose-spec", "compose.yaml"),
        ("check-jsonschema --builtin-schema vendor.github-workflows", ".github/workflows/*.yml"),
        ("check-jsonschema --builtin-schema vendor.dependabot", ".github/dependabot.yml"),
        ("check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci", ".gitlab-ci.yml"),
        ("check-jsonschema --builtin-schema vendor.renovate", "renovate.json"),
        ("actionlint", ".github/workflows/*.yml"),
        ("zizmor --offline --quiet", ".github/workflows/*.yml"),
        ("zizmor --offline --quiet", ".github/dependabot.yml"),
        ("validate-pyproject", "pyproject.toml"),
        ("pre-commit validate-config", ".pre-commit-config.yaml"),
    ],
    ids=lambda value: value.split()[0] if " " in value or "." not in value else value.strip("*./"),
)
def test_a_linter_accepts_each_variant(command: str, files: str, corpus: Corpus) -> None:
    lint(*command.split(), *corpus.list_distinct_files(files))


@pytest.mark.kubectl
@pytest.mark.xdist_group("corpus")
def test_the_schemas_contain_each_field_of_the_manifests(corpus: Corpus) -> None:
    folders: dict[frozenset[tuple[str, str]], Path] = {}
    for project in corpus.projects:
        files = {name: project.read(name) for name in project.files() if name.startswith("deploy/kubernetes/")}
        # The example secrets are not part of the manifests.
        key = frozenset((name, text) for name, text in files.items() if not name.endswith(".example"))
        if files:
            folders.setdefault(key, project.path / "deploy" / "kubernetes")
    chosen = [folders[files] for files in cover(list(folders), set)]  # they contain each distinct file
    # Production has each kind of object. tests/test_kustomize.py also renders staging.
    assert_valid(each for folder in chosen for each in render_kustomization(folder / "overlays" / "production"))


def test_without_kubernetes_no_file_mentions_it(bake: Bakery) -> None:
    project = bake(framework="fastapi", kubernetes=False)
    for name in set(project.files()) - {"Dockerfile"}:
        assert "kubernetes" not in project.read(name).lower(), name


@pytest.mark.xdist_group("corpus")
def test_each_worker_in_compose_has_a_unique_name_and_queue(corpus: Corpus) -> None:
    for project in corpus.projects:
        services = yaml.load(project.read("compose.yaml"), yaml.CSafeLoader)["services"]
        workers = [
            service["command"].split() for service in services.values() if " worker " in service.get("command", "")
        ]
        assert [words[words.index("-Q") + 1] for words in workers] == queues_of(project)
        assert [words[words.index("-n") + 1] for words in workers] == [f"{name}@%h" for name in queues_of(project)]


@pytest.mark.xdist_group("corpus")
def test_the_python_version_is_that_of_the_answer(corpus: Corpus) -> None:
    for project in corpus.projects:
        version = str(answer(project, "python_version"))
        assert f"FROM python:{version}-slim" in project.read("Dockerfile")
        assert tomllib.loads(project.read("pyproject.toml"))["project"]["requires-python"] == ">=3.11"


def test_the_pinned_uv_builds_the_project(bake: Bakery) -> None:
    project = bake()
    (backend,) = tomllib.loads(project.read("pyproject.toml"))["build-system"]["requires"]
    (uv,) = project.read("deploy/uv/requirements.txt").splitlines()

    assert re.fullmatch(r"uv==[\d.]+", uv)
    assert Requirement(backend).specifier.contains(uv.removeprefix("uv=="))


def install_units(project: BakedProject, folder: Path) -> list[str]:
    """Copy the systemd units and drop-ins to a directory. Return the names of the units with an instance name."""
    folder.mkdir(parents=True, exist_ok=True)
    source = project.path / "deploy" / "systemd"
    for drop_ins in source.glob("*.service.d"):
        shutil.copytree(drop_ins, folder / drop_ins.name)
    units = [*source.glob("*.service"), *source.glob("*.target")]
    for unit in units:
        # systemd-analyze rejects programs that do not exist. The project is not installed on this machine.
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(encoding="utf-8"), flags=re.MULTILINE)
        (folder / unit.name).write_text(text, encoding="utf-8")
    return [unit.name.replace("@.", "@1.") for unit in units]


def test_systemd_accepts_the_units(shaped: Variant, bake: Bakery, tmp_path: Path) -> None:
    units = install_units(bake(**shaped.answers), tmp_path)

    require_program(shutil.which("systemd-analyze"), "systemd-analyze")
    completed = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )

    # It reports unknown settings, but exits with 0.
    assert (completed.returncode, completed.stderr) == (0, "")


@pytest.mark.parametrize("framework", choices()["framework"])
def test_systemd_rates_the_exposure_of_the_units_as_low(framework: str, bake: Bakery, tmp_path: Path) -> None:
    units = install_units(bake(framework=framework), tmp_path)

    require_program(shutil.which("systemd-analyze"), "systemd-analyze")
    services = [str(tmp_path / unit) for unit in units if unit.endswith(".service")]
    assert services
    # In tenths: the maximum exposure of a unit is 2.0 of 10.0.
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", *services]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, f"{completed.stdout[-2000:]}{completed.stderr}"


ALL_SERVICES = {"beat", "exporter", "flower", "worker-a-b@1", "worker-c@1"}


@pytest.mark.parametrize(
    ("framework", "options", "expected"),
    [
        ("none", "", ALL_SERVICES),
        ("none", "--role worker", {"worker-a-b@1", "worker-c@1"}),
        ("none", "--role worker --queue c", {"worker-c@1"}),
        ("none", "--queue a-b --queue c --role worker --role beat", {"beat", "worker-a-b@1", "worker-c@1"}),
        ("none", "--role monitoring", {"exporter", "flower"}),
        ("fastapi", "", ALL_SERVICES | {"api"}),
        ("fastapi", "--role web", {"api"}),
        ("django", "", ALL_SERVICES | {"migrate", "web"}),
        ("django", "--role web --role beat", {"beat", "migrate", "web"}),
        ("django with outbox", "", ALL_SERVICES | {"migrate", "outbox", "web"}),
        ("django with outbox", "--role outbox", {"migrate", "outbox"}),
    ],
)
def test_the_installer_enables_the_services_of_the_roles(
    framework: str, options: str, expected: set[str], bake: Bakery, tmp_path: Path
) -> None:
    require_program(shutil.which("systemctl"), "systemctl")
    name, _, extras = framework.partition(" with ")
    host = Host(bake(framework=name, queues="a-b, c", beat_jobs="tick = @daily", extras=extras), tmp_path)
    host.install(options)
    assert host.enabled() == expected


def test_an_installation_keeps_disabled_and_masked_services(bake: Bakery, tmp_path: Path) -> None:
    require_program(shutil.which("systemctl"), "systemctl")
    host = Host(bake(queues="a-b, c", beat_jobs="tick = @daily"), tmp_path)
    host.systemctl("mask", host.unit("flower"))
    host.install()
    assert host.enabled() == ALL_SERVICES - {"flower"}

    host.systemctl("disable", host.unit("beat"))
    host.systemctl("mask", host.unit("worker-c@"))
    before = host.enabled()
    host.install()
    assert host.enabled() == before
    assert "beat" not in before

    host.install("--role beat --role monitoring --role worker")
    assert host.enabled() == before | {"beat"}


class Host:
    """A root folder with a project's units, in which the `systemctl preset` of the installer is run."""

    def __init__(self, baked: BakedProject, folder: Path) -> None:
        self.project = baked.copy_to(folder / "project")
        (self.project.path / "uv.lock").touch()
        self.root, self.installed = folder / "root", folder / "installed"
        self.units = self.root / "usr/local/lib/systemd/system"
        install_units(self.project, self.units)
        self.preset = self.root / "etc/systemd/system-preset/50-project.preset"
        self.preset.parent.mkdir(parents=True)
        self.script = self.project.path / "deploy/systemd/install.sh"
        text = self.script.read_text(encoding="utf-8")
        assert "\nunits=/usr/local/lib/systemd/system\n" in text
        text = text.replace("\nunits=/usr/local/lib/systemd/system\n", f"\nunits={self.installed}\n")
        self.script.write_text(text, encoding="utf-8")
        program = folder / "bin/systemctl"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {shutil.which("systemctl")} --root={self.root} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}

    def unit(self, name: str) -> str:
        """Return the full name of a service."""
        return f"{self.project.slug}-{name}.service"

    def systemctl(self, *words: str) -> None:
        """Run systemctl on the root folder."""
        subprocess.run(["systemctl", "--quiet", *words], env=self.environment, check=True, capture_output=True)

    def install(self, options: str = "") -> None:
        """Install or upgrade, as far as it decides on the services to enable."""
        command = [str(self.script), "--dry-run", *options.split()]
        printed = subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout
        lines = re.findall(r"^\+   ((?:enable|disable) .*)$", printed, flags=re.MULTILINE)
        self.preset.write_text("\n".join(lines), encoding="utf-8")
        for units in re.findall(r"^\+ systemctl preset --quiet (.*)$", printed, flags=re.MULTILINE):
            self.systemctl("preset", *units.split())
        shutil.copytree(self.units, self.installed, dirs_exist_ok=True)

    def enabled(self) -> set[str]:
        """Return the short names of the enabled services."""
        links = self.root / "etc/systemd/system" / f"{self.project.slug}.target.wants"
        return {link.name.removeprefix(f"{self.project.slug}-").removesuffix(".service") for link in links.iterdir()}


@pytest.mark.parametrize("options", ["--role unknown", "--role", "--queue nothing", "--queue", "--unknown"])
def test_the_installer_refuses_unknown_options(options: str, bake: Bakery) -> None:
    script = bake().path / "deploy/systemd/install.sh"
    completed = subprocess.run([script, "--dry-run", *options.split()], check=False, capture_output=True, text=True)
    assert completed.returncode != 0
    assert "+ " not in completed.stdout


@pytest.mark.parametrize(
    ("broker", "shape"),
    # The number of queues changes only prometheus.yaml.
    [(broker, "default") for broker in choices()["broker"]]
    + [("redis", shape) for shape in SHAPES if shape != "default"],
)
def test_promtool_passes_the_rule_tests_and_each_alert_fires(broker: str, shape: str, bake: Bakery) -> None:
    require_program(shutil.which("promtool"), "promtool")
    project = bake(broker=broker, result_backend="database", extras="history", **SHAPES[shape])
    folder = project.path / "deploy" / "monitoring"
    rules = yaml.safe_load((folder / "rules.yaml").read_text(encoding="utf-8"))
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}

    for command in (
        "check config prometheus.yaml",
        "check rules --lint-fatal rules.yaml",
        "test rules rules_test.yaml",
    ):
        completed = subprocess.run(
            ["promtool", *command.split()], cwd=folder, capture_output=True, text=True, check=False, timeout=120
        )
        assert completed.returncode == 0, completed.stdout + completed.stderr

    # Each alert fires in one test. No alert fires in the test of the thresholds.
    silent, firing, *others = yaml.safe_load((folder / "rules_test.yaml").read_text(encoding="utf-8"))["tests"]
    assert [(test["expr"], test["exp_samples"]) for test in silent["promql_expr_test"]] == [("ALERTS", [])]
    (test,) = firing["promql_expr_test"]
    assert set(re.findall(r'alertname="(\w+)"', str([test["exp_samples"], *others]))) == alerts


SECONDS = itertools.count(1)


@pytest.fixture(scope="session")
def mypy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory in which mypy checks all variants, so that they share the cache."""
    return tmp_path_factory.mktemp("mypy")


def check_types(project: BakedProject, shared_folder: Path, mypy_folder: Path) -> None:
    """Run mypy on a project.

    Raises:
        AssertionError: mypy reports an error.
    """
    shutil.rmtree(mypy_folder / "project", ignore_errors=True)
    copy = project.copy_to(mypy_folder / "project")
    # mypy's cache compares size and modification time, which may be equal in two variants.
    second = next(SECONDS)
    for path in copy.path.rglob("*.py"):
        os.utime(path, (second, second))
    command = ["mypy", "--strict", "--cache-dir", str(mypy_folder / "cache")]
    copy.run(*command, environment=install(copy, shared_folder), timeout=300)


@pytest.mark.xdist_group("corpus")
@pytest.mark.parametrize("framework", choices()["framework"])
def test_mypy_accepts_all_code(framework: str, corpus: Corpus, shared_folder: Path, mypy_folder: Path) -> None:
    projects = [each for each in corpus.projects_with_all_statements if answer(each, "framework") == framework]
    assert projects
    # Changed models invalidate the cache of the Django plugin.
    for project in sorted(projects, key=models_of):
        check_types(project, shared_folder, mypy_folder)


def models_of(project: BakedProject) -> list[str]:
    """Return the answers that determine the models of a project."""
    models = [name for name in ("result_backend", "beat_scheduler") if answer(project, name) == "database"]
    return [*models, project.slug]


def test_make_prints_aligned_commands_and_writes_passwords_once(bake: Bakery, tmp_path: Path) -> None:
    project = bake(kubernetes=True).copy_to(tmp_path)

    def make(*targets: str) -> str:
        return subprocess.run(
            ["make", "--no-print-directory", *targets], cwd=project.path, check=True, capture_output=True, text=True
        ).stdout

    lines = make().splitlines()
    starts = {re.match(r"make [a-z-]+ +", line).end() for line in lines}  # type: ignore[union-attr]
    assert starts == {len("make prometheus-rule  ")}

    assert make(".env") == "wrote .env with random passwords\n"
    written = (project.path / ".env").read_text(encoding="utf-8")
    assert len(set(re.findall(r"^\w+_PASSWORD=(\S{64})$", written, flags=re.MULTILINE))) == 3
    assert (project.path / ".env").stat().st_mode & 0o777 == 0o600
    assert re.sub(r"_PASSWORD=\S+", "_PASSWORD=", written) == project.read(".env.example")
    make(".env")
    assert (project.path / ".env").read_text(encoding="utf-8") == written
