"""The ASGI application: `uvicorn {{ cookiecutter.project_slug }}.asgi:application`."""

import os

from django.core.asgi import get_asgi_application
{% if plan().features.tracing %}
from opentelemetry.instrumentation.django import DjangoInstrumentor
{% endif %}

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{{ cookiecutter.project_slug }}.settings.production")

from {{ cookiecutter.project_slug }} import signals  # reads the settings

signals.start_sentry()
{% if plan().features.tracing %}
signals.start_tracing()
DjangoInstrumentor().instrument(excluded_urls="health")
{% endif %}
application = get_asgi_application()

from {{ cookiecutter.project_slug }} import submissions  # noqa: E402  # imports models, so after Django's setup

submissions.warm_up()
