"""The configuration of the app `reports`."""

from django.apps import AppConfig


class ReportsConfig(AppConfig):
    """The app `reports`."""

    name = "{{ cookiecutter.project_slug }}.reports"
