"""On your own machine: nothing has to be set."""

from {{ cookiecutter.project_slug }}.settings.base import *

DEBUG = True
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
INTERNAL_IPS = ["127.0.0.1"]
