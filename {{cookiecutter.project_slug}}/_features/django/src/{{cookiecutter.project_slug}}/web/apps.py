"""What Django knows of this app."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Tasks by HTTP."""

    name = "{{ cookiecutter.project_slug }}.web"

    def ready(self) -> None:
        """Make this project's the application that tasks are sent with, as a worker's is from the start."""
        from {{ cookiecutter.project_slug }} import celery_app as celery_app
