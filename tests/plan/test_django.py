"""Django: its apps, its environment variables and its names of Celery settings."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from local_extensions.catalogue import FRAMEWORKS, RESULT_BACKENDS
from local_extensions.filters import django_settings
from local_extensions.names import MAX_SLUG_LENGTH
from tests.support.answers import plan_of
from tests.support.render import SLUG, list_paths, render
from tests.support.variants import combinations, is_supported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_extensions.catalogue import Framework
    from tests.support.variants import Answer

SETTINGS = "_features/django/src/<slug>/settings"
JOBS = "a = @daily"
every_framework = pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda framework: framework.name)


def celery_settings(framework: Framework, **answers: object) -> str:
    """Return the module of Celery's settings in a project with a beat job."""
    feature = "django" if framework.name == "django" else "celeryconfig"
    path = f"_features/{feature}/src/<slug>/{framework.celery_settings}"
    return render(path, **{"framework": framework.name, "beat_jobs": JOBS, **answers})


def answers_for(framework: Framework) -> Iterator[dict[str, Answer]]:
    """Yield each supported combination of answers that changes Celery's settings."""
    for answers in combinations(["broker", "result_backend", "beat_scheduler", "examples", "monitoring"]):
        if is_supported({"framework": framework.name, **answers}):
            yield answers


def test_only_settings_at_the_start_of_a_line_get_the_prefix() -> None:
    text = "# a = 1\nbroker_url = env.broker_url  # x = y\nroutes = {\n    'a': 1,\n}\nfrom a import b\nb == c\nx=1\n"
    assert django_settings(text) == (
        "# a = 1\nCELERY_BROKER_URL = env.broker_url  # x = y\nCELERY_ROUTES = {\n    'a': 1,\n}\nfrom a import b\n"
        "b == c\nx=1\n"
    )


def setting_names(code: str) -> list[str]:
    """Return the names that a module assigns. It contains only assignments and imports after the docstring."""
    docstring, *statements = ast.parse(code).body
    assert isinstance(docstring, ast.Expr)
    assignments = [each for each in statements if not isinstance(each, ast.ImportFrom)]
    names = [ast.unparse(each.targets[0]) for each in assignments if isinstance(each, ast.Assign)]
    assert len(set(names)) == len(names) == len(assignments)
    return names


@every_framework
def test_each_setting_has_the_prefix_of_the_framework(framework: Framework) -> None:
    # Django passes only settings with this prefix to Celery (`namespace="CELERY"`). RedBeat reads settings without it.
    patterns = {"": r"[a-z][a-z0-9_]*", "CELERY_": r"(CELERY|REDBEAT)_[A-Z0-9_]+"}
    pattern = re.compile(patterns[framework.setting_prefix])
    for answers in answers_for(framework):
        names = setting_names(celery_settings(framework, **answers))
        assert len(names) > 20
        assert not [name for name in names if not pattern.fullmatch(name)]


def test_the_settings_of_the_frameworks_are_equal() -> None:
    django, *others = sorted(FRAMEWORKS, key=lambda framework: framework.name)
    for other in others:
        for answers in answers_for(other):
            if answers["result_backend"] == "database":
                continue  # Django has a different result backend
            names = setting_names(celery_settings(django, **answers))
            lower = [name.removeprefix(django.setting_prefix).lower() for name in names]
            assert lower == setting_names(celery_settings(other, **answers))


@every_framework
@pytest.mark.parametrize("slug", ["s", "s" * MAX_SLUG_LENGTH], ids=len)
def test_no_line_of_the_settings_is_too_long(framework: Framework, slug: str) -> None:
    for answers in answers_for(framework):
        text = celery_settings(framework, **answers, project_slug=slug, task_time_limit="43140")
        assert not [line for line in text.splitlines() if len(line) > 120]


@every_framework
def test_the_modules_of_a_framework_exist_in_its_projects(framework: Framework) -> None:
    features = plan_of(framework=framework.name).enabled_features
    for module in (framework.celery_settings, framework.environment):
        sources = [path for path in list_paths() if path.endswith(f"/src/{SLUG}/{module}")]
        assert [path for path in sources if path.split("/")[1] in features]


def installed_apps(**answers: object) -> list[str]:
    """Return the value of INSTALLED_APPS."""
    module = ast.parse(render(f"{SETTINGS}/base.py", framework="django", **answers))
    assignments = [node for node in module.body if isinstance(node, ast.Assign)]
    (apps,) = (node.value for node in assignments if ast.unparse(node.targets[0]) == "INSTALLED_APPS")
    found: list[str] = ast.literal_eval(apps)
    return found


def test_installed_apps_depend_on_the_answers() -> None:
    contrib = ("admin", "auth", "contenttypes", "sessions", "messages", "staticfiles")

    def apps(**answers: str) -> list[str]:
        found = installed_apps(project_slug="shop", **answers)
        assert found[: len(contrib)] == [f"django.contrib.{app}" for app in contrib]
        return found[len(contrib) :]

    own = ["shop.reports", "shop.users", "shop.web"]
    assert apps() == own
    assert apps(result_backend="database") == ["django_celery_results", *own]
    assert apps(beat_scheduler="database", beat_jobs=JOBS) == ["django_celery_beat", "shop.periodic", *own]
    assert apps(beat_scheduler="database") == own
    assert apps(beat_scheduler="redbeat", beat_jobs=JOBS) == own


def test_the_packages_of_a_scheduler_require_a_job() -> None:
    def beats(**answers: str) -> list[str]:
        plan = plan_of(framework="django", beat_scheduler="database", **answers)
        return [name for name in plan.dependencies if "beat" in name or "solar" in name]

    assert beats() == []
    assert beats(beat_jobs=JOBS) == ["celery[redis,solar]>=5.7,<5.8", "django-celery-beat>=2.9"]


def test_django_stores_results_with_django_celery_results() -> None:
    answers: dict[str, object] = {"framework": "django", "result_backend": "database"}
    plan = plan_of(**answers)
    assert plan.features["results"]
    assert plan.features["django_results"]
    assert not plan.features["database_results"]
    assert not re.search(r"^CELERY_RESULT_BACKEND=", render(".env.example", **answers), re.MULTILINE)
    assert any("django-celery-results" in name for name in plan.dependencies)
    settings = render(f"{SETTINGS}/celery.py", **answers)
    assert '\nCELERY_RESULT_BACKEND = "background_jobs.results.DatabaseBackend"' in settings


def test_the_replacement_of_a_result_backend_keeps_its_name() -> None:
    replaced = {framework.name: framework.database.name for framework in FRAMEWORKS if framework.database}
    assert replaced == {"django": "database"}
    assert set(replaced.values()) <= {backend.name for backend in RESULT_BACKENDS}


def test_only_development_and_test_settings_have_a_local_secret_key() -> None:
    path = f"{SETTINGS}/__init__.py"
    (key,) = re.findall(r'"SECRET_KEY": "(.+)",', render(path, framework="django"))
    assert len(key) >= 50
    holders = [path for path in list_paths() if key in render(path, framework="django")]
    assert holders == [path.replace("<slug>", SLUG), "_features/django/tests/conftest.py"]


@pytest.mark.parametrize("module", ["development", "production", "test", "base"])
def test_only_the_development_settings_set_local_values(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, imports, _ = render(f"{SETTINGS}/__init__.py", framework="django", project_slug="shop").partition(
        "\nfrom shop.settings.environment import"
    )
    assert imports
    environment = {"DJANGO_SETTINGS_MODULE": f"shop.settings.{module}", "ALLOWED_HOSTS": "example.com"}
    monkeypatch.setattr("os.environ", environment)
    exec(code, {"__name__": "shop.settings", "__file__": "/project/src/shop/settings/__init__.py"})  # noqa: S102
    assert ("SECRET_KEY" in environment) == (module == "development")
    assert environment["ALLOWED_HOSTS"] == "example.com"
