"""What a WSGI server runs: `gunicorn -c python:{{ cookiecutter.project_slug }}.web.gunicorn {{ cookiecutter.project_slug }}.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{{ cookiecutter.project_slug }}.settings.production")

from {{ cookiecutter.project_slug }} import signals  # reads the environment

signals.start_sentry()
application = get_wsgi_application()

from {{ cookiecutter.project_slug }} import submissions  # noqa: E402  # imports tasks, and they models

submissions.prepare()
