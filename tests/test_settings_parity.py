"""The effective Celery settings are equal in all frameworks, and have a common source."""

from __future__ import annotations

import json
import re
from itertools import starmap
from typing import TYPE_CHECKING, Any

import pytest

from local_extensions.catalogue import FRAMEWORKS
from tests.support.environments import install
from tests.support.variants import choices, combinations, cover_pairs, is_supported, label

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bakery import Bakery
    from tests.support.project import BakedProject

OTHERS = ["broker", "result_backend", "beat_scheduler"]
ANSWERS = {"project_slug": "shop", "queues": "emails:2, reports:2@threads", "timezone": "Europe/Paris"}
# Some examples require an HTTP API.
NO_EXAMPLES = {"examples": False}

# This program prints all settings of Celery and RedBeat.
PROGRAM = """
import json
from celery.app.defaults import DEFAULTS
from shop.celery_app import app
# RedBeat reads uppercase names from Django settings.
print(json.dumps({name: repr(app.conf.first(name, name.upper())) for name in (*DEFAULTS, *NAMES)}))
"""


def answers_for_all_frameworks() -> list[dict[str, Any]]:
    """Return answers that several frameworks support. Each pair of answers occurs."""

    def frameworks(answers: dict[str, Any]) -> int:
        return sum(is_supported({**answers, "framework": name}) for name in choices()["framework"])

    return cover_pairs([answers for answers in combinations(OTHERS) if frameworks(answers) > 1])


def names_of(project: BakedProject) -> list[str]:
    """Return Celery's names of the settings in a project."""
    (framework,) = (each for each in FRAMEWORKS if each.name == project.answers["framework"])
    text = (project.package / framework.celery_settings).read_text(encoding="utf-8")
    names = re.findall(r"^([A-Za-z]\w*) = ", text, flags=re.MULTILINE)
    return [name.removeprefix("CELERY_").lower() for name in names]


def read_effective_settings(project: BakedProject, shared_folder: Path, tmp_path: Path) -> dict[str, str]:
    """Return the `repr` of each effective setting of a project's application."""
    copy = project.copy_to(tmp_path / str(project.answers["framework"]))
    in_database = project.answers["result_backend"] == "database"
    variables = {
        "CELERY_BROKER_URL": "memory://",
        "CELERY_RESULT_BACKEND": "db+sqlite://" if in_database else "cache+memory://",
        "REDBEAT_REDIS_URL": "redis://localhost/2",
        "AWS_REGION": "eu-west-1",
        "SQS_QUEUE_URL_PREFIX": "https://sqs.eu-west-1.amazonaws.com/123456789012/shop-",
        "DATABASE_URL": "sqlite://:memory:",
        "SECRET_KEY": "x" * 50,
        "ALLOWED_HOSTS": "localhost",
        "API_KEY": "x" * 50,
    }
    program = PROGRAM.replace("NAMES", repr(names_of(copy)))
    completed = copy.run("python", "-c", program, environment=install(copy, shared_folder), variables=variables)
    settings: dict[str, str] = json.loads(completed.stdout)
    # Django's apps have further tasks, one of which is periodic.
    route, job = r", 'shop\.(reports|users)\.tasks\.\*': \{.*?\}", r", 'django\.clearsessions': \{.*?\}\}"
    settings["task_routes"] = re.sub(route, "", settings["task_routes"])
    settings["beat_schedule"] = re.sub(job, "", settings["beat_schedule"])
    return settings


def prefixes_of_other_backends(answers: dict[str, Any]) -> tuple[str, ...]:
    """Return the prefixes of the settings that depend on the result backend of a framework."""
    replaced = {framework.database.name for framework in FRAMEWORKS if framework.database}
    return ("result_", "database_") if answers["result_backend"] in replaced else ()


@pytest.mark.slow
@pytest.mark.parametrize(
    "answers", answers_for_all_frameworks(), ids=lambda answers: "-".join(starmap(label, answers.items()))
)
def test_the_settings_are_equal_in_all_frameworks(
    answers: dict[str, Any], bake: Bakery, shared_folder: Path, tmp_path: Path
) -> None:
    projects = [
        bake(framework=name, **answers, **ANSWERS, **NO_EXAMPLES)
        for name in map(str, choices()["framework"])
        if is_supported({**answers, "framework": name})
    ]
    prefixes = prefixes_of_other_backends(answers)
    found = [
        {
            name: value
            for name, value in read_effective_settings(project, shared_folder, tmp_path).items()
            if not name.startswith(prefixes)
        }
        for project in projects
    ]

    assert len(found) > 1
    assert found[0]["timezone"] == "'Europe/Paris'"
    for other in found[1:]:
        assert other == found[0]


def test_the_frameworks_share_the_source_of_the_settings(bake: Bakery) -> None:
    names = [names_of(bake(framework=str(name), **ANSWERS, **NO_EXAMPLES)) for name in choices()["framework"]]

    assert len(names[0]) > 20
    for other in names[1:]:
        assert other == names[0]
