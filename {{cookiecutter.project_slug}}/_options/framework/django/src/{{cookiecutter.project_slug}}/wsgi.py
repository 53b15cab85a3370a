"""What a WSGI server runs: `gunicorn {{ cookiecutter.project_slug }}.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{{ cookiecutter.project_slug }}.settings.production")

from {{ cookiecutter.project_slug }}.signals import start_sentry  # reads the settings

start_sentry()
application = get_wsgi_application()
