"""The settings for local development, which need no environment variables."""

import logging

from {{ cookiecutter.project_slug }}.settings.base import *

DEBUG = True
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
INSTALLED_APPS += ["ninja"]  # serves the scripts of /docs, which otherwise come from a CDN
logging.getLogger("django.server").setLevel("ERROR")  # web/middleware.py logs each request
