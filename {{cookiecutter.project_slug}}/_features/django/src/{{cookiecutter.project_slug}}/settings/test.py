"""The settings for the tests."""

from {{ cookiecutter.project_slug }}.settings.base import *

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast; test passwords are not secret
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # without collectstatic
WHITENOISE_AUTOREFRESH = True  # does not require STATIC_ROOT
