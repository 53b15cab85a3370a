"""The configuration of the app `control`."""

from django.apps import AppConfig


class ControlConfig(AppConfig):
    """The app `control`."""

    name = "{{ cookiecutter.project_slug }}.control"
