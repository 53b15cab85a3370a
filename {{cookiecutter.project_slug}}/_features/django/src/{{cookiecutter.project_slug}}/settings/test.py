"""For the tests."""

from {{ cookiecutter.project_slug }}.settings.base import *

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick; passwords here are no secrets
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # nothing is collected
WHITENOISE_AUTOREFRESH = True  # so that it looks for no folder of collected files
