"""On your own machine: nothing has to be set."""

import logging

from {{ cookiecutter.project_slug }}.settings.base import *

DEBUG = True
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
INSTALLED_APPS += ["ninja"]  # it serves the code of /docs, which else comes from a CDN
logging.getLogger("django.server").setLevel("ERROR")  # web/middleware.py logs each request
