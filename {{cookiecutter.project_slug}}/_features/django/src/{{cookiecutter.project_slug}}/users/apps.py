"""Django's configuration of this app."""

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """Users."""

    name = "{{ cookiecutter.project_slug }}.users"
