"""Django's checks, settings, migrations and commands."""

import subprocess
import sys
from io import StringIO
from pathlib import Path
from runpy import run_module

import pytest
from celery.signals import import_modules
from django.conf import settings
from django.core.checks import Warning, run_checks
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import OperationalError, connection
from django.test import Client, modify_settings

from {{ cookiecutter.project_slug }} import doctor
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.findings import Note
from {{ cookiecutter.project_slug }}.queues import TASK_ROUTES, QueueName
from {{ cookiecutter.project_slug }}.settings import read_environment
from {{ cookiecutter.project_slug }}.web import checks

from .conftest import ENVIRONMENT
from .factories import UserFactory

MANAGE = Path(__file__).parent.parent / "manage.py"


def manage(*arguments: str, **variables: str) -> str:
    """Run a command of manage.py in a new process, and return its output."""
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, str(MANAGE), *arguments]
    completed = subprocess.run(command, env=environment | variables, capture_output=True, text=True, timeout=60)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


def test_the_production_settings_pass_the_deployment_checks() -> None:
    module = "{{ cookiecutter.project_slug }}.settings.production"
    output = manage("check", "--deploy", "--fail-level", "DEBUG", "--settings", module)
    assert output == "System check identified no issues (2 silenced).\n"


def test_the_development_settings_require_no_variable() -> None:
    environment = {"PATH": str(Path(sys.executable).parent)}
    completed = subprocess.run([sys.executable, str(MANAGE), "check"], env=environment, capture_output=True, timeout=60)
    assert completed.returncode == 0, completed.stderr


def test_the_system_checks_run_the_checks_of_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_checks(tags=["celery"]) == []
    url = "rediss://cache.example.com/0?ssl_cert_reqs=none"
    found: dict[str, doctor.Check] = {
        "encryption": lambda: [Note("not a problem"), *doctor.check_encryption({"CELERY_BROKER_URL": url})],
        "acknowledgement": doctor.check_acknowledgement,
    }
    monkeypatch.setattr(doctor, "CHECKS", found)
    monkeypatch.setitem(app.conf, "task_acks_late", False)
    assert run_checks(tags=["celery"]) == [
        Warning(
            "CELERY_BROKER_URL: the server is not verified",
            hint="Remove ssl_cert_reqs=none, or set sslmode=verify-full.",
            id="celery.W001",
        ),
        Warning(
            "task_acks_late is off",
            hint="The tasks of a killed worker are lost. Set it to True.",
            id="celery.W002",
        ),
    ]


def test_a_route_to_an_unknown_queue_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASK_ROUTES, "letters.tasks.*", {"queue": "misspelled"})
    with pytest.raises(SystemCheckError, match=r"celery\.E001\) the queue misspelled of the route letters"):
        call_command("check", tags=["celery"])


def test_each_check_without_a_server_has_an_id() -> None:
    assert checks.IDS.keys() == doctor.CHECKS.keys(), "add the check to web/checks.py"


def test_the_queues_of_django_tasks_are_those_of_the_workers() -> None:
    assert set(settings.TASKS["default"]["QUEUES"]) == {"default", *QueueName}


@pytest.mark.django_db
def test_every_model_has_a_migration() -> None:
    call_command("makemigrations", "--check", "--dry-run", stdout=StringIO())


def test_the_tasks_of_each_installed_app_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "__init__.py").touch()
    code = "from celery import shared_task\n\n@shared_task\ndef write() -> None:\n    pass\n"
    (tmp_path / "letters" / "tasks.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with modify_settings(INSTALLED_APPS={"append": "letters"}):
        import_modules.send(sender=app)
    assert app.tasks.pop("letters.tasks.write")


@pytest.mark.django_db
def test_a_user_can_log_in(client: Client) -> None:
    user = UserFactory.create()
    user.set_password("correct")
    user.save()
    assert client.get("/accounts/login/").status_code == 200
    response = client.post("/accounts/login/", {"username": user.username, "password": "correct"})
    assert response.headers["Location"] == "/admin/"


def test_the_root_url_redirects_to_the_admin(client: Client) -> None:
    assert client.get("/").headers["Location"] == "/admin/"


@pytest.mark.parametrize(("variables", "seconds"), [({}, 3600), ({"SECURE_HSTS_SECONDS": "0"}, 0)])
def test_hsts_lasts_an_hour_by_default(
    variables: dict[str, str], seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr("{{ cookiecutter.project_slug }}.settings.base.env", read_environment())
    assert run_module("{{ cookiecutter.project_slug }}.settings.production")["SECURE_HSTS_SECONDS"] == seconds


@pytest.mark.django_db
def test_wait_for_database_returns_if_the_database_is_reachable() -> None:
    call_command("wait_for_database", timeout=0)


def test_wait_for_database_fails_with_the_last_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection, "ensure_connection", fail)
    with pytest.raises(CommandError, match="database unreachable after 0 s: connection refused"):
        call_command("wait_for_database", timeout=0)
