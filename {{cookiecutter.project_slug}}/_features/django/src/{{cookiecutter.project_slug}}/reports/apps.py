"""What Django knows of this app."""

from django.apps import AppConfig


class ReportsConfig(AppConfig):
    """Reports."""

    name = "{{ cookiecutter.project_slug }}.reports"
