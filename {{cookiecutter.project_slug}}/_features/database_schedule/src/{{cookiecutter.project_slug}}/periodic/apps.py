"""The configuration of the app `periodic`."""

from django.apps import AppConfig


class PeriodicConfig(AppConfig):
    """The app `periodic`."""

    name = "{{ cookiecutter.project_slug }}.periodic"
