"""What Django knows of this app."""

from django.apps import AppConfig


class PeriodicConfig(AppConfig):
    """The schedule in the database."""

    name = "{{ cookiecutter.project_slug }}.periodic"
