"""What Django alone has: its apps, its variables, its name for each of Celery's settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from local_extensions.text import django_settings

from local_extensions.catalogue import FRAMEWORKS, RESULT_BACKENDS
from tests.support.answers import ROOT, plan_of

if TYPE_CHECKING:
    from pathlib import Path

FRAGMENTS = sorted((ROOT / "templates" / "celeryconfig").glob("*.py"))
(DJANGO,) = (framework for framework in FRAMEWORKS if framework.name == "django")
# What Django has a text of its own for.
REPLACED = {f"results-{name}" for name in DJANGO.result_backends}
JOBS = "a = @daily"


def test_a_setting_at_the_start_of_a_line_gets_its_prefix_and_nothing_else_changes() -> None:
    text = "# a = 1\nbroker_url = env.broker_url  # x = y\nroutes = {\n    'a': 1,\n}\nfrom a import b\nb == c\nx=1\n"
    assert django_settings(text) == (
        "# a = 1\nCELERY_BROKER_URL = env.broker_url  # x = y\nCELERY_ROUTES = {\n    'a': 1,\n}\nfrom a import b\n"
        "b == c\nx=1\n"
    )


@pytest.mark.parametrize(
    "fragment", [path for path in FRAGMENTS if path.stem not in REPLACED], ids=lambda path: path.stem
)
def test_the_prefix_makes_no_line_too_long(fragment: Path) -> None:
    text = re.sub(r"\{\{.*?\}\}", "12345", fragment.read_text(encoding="utf-8"))
    for line in django_settings(text).splitlines():
        assert len(line) <= 120, line


def test_every_setting_is_at_the_start_of_a_line() -> None:
    # Otherwise Django would not see it: `namespace="CELERY"` takes what begins so.
    for fragment in FRAGMENTS:
        for line in fragment.read_text(encoding="utf-8").splitlines():
            assert re.match(r"[a-z]\w* = |[#{ )}]|$", line), f"{fragment.name}: {line}"


def test_the_apps_are_django_s_those_of_the_answers_and_ours() -> None:
    def apps(**answers: str) -> list[str]:
        every = plan_of(framework="django", project_slug="shop", **answers).django_apps
        return [app for app in every if not app.startswith("django.")]

    own = ["shop.reports", "shop.web"]
    assert apps() == own
    assert apps(result_backend="database") == ["django_celery_results", *own]
    assert apps(beat_scheduler="database", beat_jobs=JOBS) == ["django_celery_beat", "shop.periodic", *own]
    assert apps(beat_scheduler="database") == own


def test_a_scheduler_s_packages_come_with_the_first_job() -> None:
    def beats(**answers: str) -> list[str]:
        plan = plan_of(framework="django", beat_scheduler="database", **answers)
        return [name for name in plan.dependencies if "beat" in name or "solar" in name]

    assert beats() == []
    assert beats(beat_jobs=JOBS) == ["celery[redis,solar]>=5.7,<5.8", "django-celery-beat>=2.9"]


def test_results_in_the_database_are_django_s_own() -> None:
    plan = plan_of(framework="django", result_backend="database")
    assert plan.results
    assert plan.features["django_results"]
    assert "CELERY_RESULT_BACKEND" not in {url.name for url in plan.urls}
    assert any("django-celery-results" in name for name in plan.dependencies)
    assert "results-django.py" in plan.config_texts


def test_what_a_framework_has_in_place_of_a_result_backend_has_its_name() -> None:
    names = {backend.name for backend in RESULT_BACKENDS}
    for framework in FRAMEWORKS:
        for name, backend in framework.result_backends.items():
            assert name in names
            assert backend.name == name


def test_everything_waits_for_the_migrations() -> None:
    plan = plan_of(framework="django", project_slug="shop", queues="a-b, c", beat_jobs=JOBS)
    expected = ("shop-worker@a-b.service", "shop-worker@c.service", "shop-beat.service", "shop-web.service")
    assert plan.migrated_units == expected


def test_django_takes_local_values_for_nothing_but_development_and_tests() -> None:
    plan = plan_of(framework="django")
    assert len(plan.local_variables["SECRET_KEY"]) >= 50
    samples = "\n".join(plan.environment_samples)
    assert plan.local_variables["SECRET_KEY"] not in samples


def test_a_setting_s_name_is_the_framework_s() -> None:
    names = {framework.name: framework.setting("beat_schedule") for framework in FRAMEWORKS}
    assert names == {"none": "beat_schedule", "fastapi": "beat_schedule", "django": "CELERY_BEAT_SCHEDULE"}
