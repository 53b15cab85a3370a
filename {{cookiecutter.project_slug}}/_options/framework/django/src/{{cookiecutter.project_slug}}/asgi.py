"""What an ASGI server runs: `uvicorn {{ cookiecutter.project_slug }}.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{{ cookiecutter.project_slug }}.settings.production")

from {{ cookiecutter.project_slug }}.signals import start_sentry  # reads the settings

start_sentry()
application = get_asgi_application()
