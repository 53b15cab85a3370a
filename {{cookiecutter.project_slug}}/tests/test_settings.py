"""Tests of the environment variables and their error messages."""

import re
import subprocess
import sys
from urllib.parse import quote

import pytest

from {{ cookiecutter.project_slug }}.settings import Environment, check_server_url, read_environment

from .conftest import ENVIRONMENT

EXAMPLE = "{{ plan().broker.example_url }}"


def test_settings_have_the_values_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("CELERY_PUBLISH_TIMEOUT", "2.5")
    assert read_environment().log_level == "DEBUG"
    assert read_environment().celery_publish_timeout == 2.5


def test_empty_variable_is_treated_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "")
    assert read_environment().log_level == "INFO"


def test_each_error_is_one_line_with_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CELERY_BROKER_URL")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(SystemExit) as stop:
        read_environment()
    missing, invalid = str(stop.value).splitlines()
    assert missing == f"CELERY_BROKER_URL: not set. Example: CELERY_BROKER_URL={EXAMPLE}"
    assert invalid.startswith("LOG_LEVEL: Input should be 'DEBUG', ")
    assert invalid.endswith(". Example: LOG_LEVEL=INFO")


def test_error_does_not_contain_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "http://user:secret@localhost")
    with pytest.raises(SystemExit, match=r"^CELERY_BROKER_URL: must begin with one of: ") as stop:
        read_environment()
    assert "secret" not in str(stop.value)


@pytest.mark.parametrize("password", ["a#b", "a/b", "a?b", "12#34", "12/34", "12?34", "a[b", "a℀b", "a$b"])
def test_password_without_percent_encoding_is_rejected(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, field in Environment.model_fields.items():
        url = str((field.examples or [""])[0])
        if url.startswith(("http", "sqs")) or "://" not in url:
            continue
        monkeypatch.setenv(name.upper(), re.sub("//[^/]*@|//", f"//user:{password}@", url, count=1))
        with pytest.raises(SystemExit) as stop:
            read_environment()
        assert str(stop.value).startswith(f"{name.upper()}: invalid port, or a password")
        assert password not in str(stop.value)
        monkeypatch.setenv(name.upper(), re.sub("//[^/]*@|//", f"//user:{quote(password, safe='')}@", url, count=1))
        read_environment()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://localhost/0", "redis://localhost/0"),
        ("rediss://localhost/0", "rediss://localhost/0?ssl_cert_reqs=required"),
        ("rediss://a;rediss://b?x=1", "rediss://a?ssl_cert_reqs=required;rediss://b?x=1&ssl_cert_reqs=required"),
        ("rediss://localhost/0?ssl_cert_reqs=none", "rediss://localhost/0?ssl_cert_reqs=none"),
        ("amqps://localhost//", "amqps://localhost//?ssl_cert_reqs=required"),
        ("postgresql://a/b?sslmode=verify-full", "postgresql://a/b?sslmode=verify-full&sslrootcert=system"),
    ],
)
def test_certificate_verification_is_enabled(url: str, expected: str) -> None:
    assert check_server_url(url) == expected


@pytest.mark.parametrize("url", ["rediss://localhost?ssl_cert_reqs=optional", "redis://localhost?ssl_cert_reqs=none"])
def test_invalid_tls_option_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match="ssl_cert_reqs"):
        check_server_url(url)


def test_worker_exits_without_a_broker_url() -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "CELERY_BROKER_URL"}
    worker = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "{{ cookiecutter.project_slug }}.celery_app", "worker"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert worker.returncode == 1
    assert worker.stderr.startswith("CELERY_BROKER_URL: not set.")
    assert worker.stderr.count("\n") == 1


def test_variables_have_a_description_and_an_example() -> None:
    for name, field in Environment.model_fields.items():
        assert field.description, name
        assert field.examples, name
