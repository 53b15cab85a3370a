"""The settings of all environments.

https://docs.djangoproject.com/en/stable/ref/settings/
"""

import logging
import sys
from pathlib import Path
from typing import Any

import dj_database_url

from {{ cookiecutter.project_slug }} import logs
from {{ cookiecutter.project_slug }}.queues import TASK_QUEUES
from {{ cookiecutter.project_slug }}.settings import env
from {{ cookiecutter.project_slug }}.settings.celery import *


def split_list(text: str) -> list[str]:
    """Return the items of a comma-separated list."""
    return [item.strip() for item in text.split(",") if item.strip()]


# --- Applications
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
{% if plan().features.django_results %}
    "django_celery_results",
{% endif %}
{% if plan().features.database_schedule %}
    "django_celery_beat",
    "{{ cookiecutter.project_slug }}.periodic",
{% endif %}
{% if plan().features.history_django %}
    "{{ cookiecutter.project_slug }}.control",
    "{{ cookiecutter.project_slug }}.history",
{% endif %}
{% if plan().features.outbox %}
    "{{ cookiecutter.project_slug }}.outbox",
{% endif %}
    "{{ cookiecutter.project_slug }}.reports",
    "{{ cookiecutter.project_slug }}.users",
    "{{ cookiecutter.project_slug }}.web",
]
MIDDLEWARE = [
    "{{ cookiecutter.project_slug }}.web.middleware.RequestMiddleware",  # first: adds the request id to all log lines
    "{{ cookiecutter.project_slug }}.web.health.HealthMiddleware",  # before the check of ALLOWED_HOSTS: probes use IP addresses
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "{{ cookiecutter.project_slug }}.urls"
WSGI_APPLICATION = "{{ cookiecutter.project_slug }}.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Security
SECRET_KEY = env.secret_key
ALLOWED_HOSTS = split_list(env.allowed_hosts)
CSRF_TRUSTED_ORIGINS = split_list(env.csrf_trusted_origins)
AUTH_USER_MODEL = "users.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "admin:index"

# --- Database
DATABASES = {
    "default": dj_database_url.parse(
        env.database_url,
        conn_max_age=60,  # seconds; for requests: Celery closes the connection after each task
        conn_health_checks=True,  # reconnects if the server closed the connection
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Several processes write. WAL does not block readers, and a writer waits for the others up to `timeout`.
    DATABASES["default"]["OPTIONS"] = {
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        "timeout": 20,  # seconds
        "transaction_mode": "IMMEDIATE",  # the default deadlocks when two transactions read before they write
    }
else:
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)  # seconds; the default is minutes

# --- Django's tasks (since Django 6.0), on the queues of queues.py
TASKS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "{{ cookiecutter.project_slug }}.django_tasks.CeleryBackend",
        "QUEUES": ["default", *(queue.name for queue in TASK_QUEUES)],  # `default`: the queue of the task's route
    },
}
{% if plan().features.results %}
TASKS["results"] = {**TASKS["default"], "OPTIONS": {"store_results": True}}  # opt in with @task(backend="results")
{% endif %}

# --- Static files: each release collects them into its virtual environment
STATIC_URL = "static/"
STATIC_ROOT = Path(sys.prefix) / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- Language and time
LANGUAGE_CODE = "en"
TIME_ZONE = "{{ plan().project.timezone }}"  # also in Celery
USE_TZ = True

# --- Logs: in the format of the workers' logs
LOGGING_CONFIG = None
logs.configure()
logging.getLogger("django.request").setLevel("ERROR")  # web/middleware.py logs each request
logging.getLogger("django.tasks").setLevel("CRITICAL")  # base_task.py logs each task
