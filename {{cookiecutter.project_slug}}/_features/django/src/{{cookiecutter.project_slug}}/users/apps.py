"""The configuration of the app `users`."""

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """The app `users`."""

    name = "{{ cookiecutter.project_slug }}.users"
