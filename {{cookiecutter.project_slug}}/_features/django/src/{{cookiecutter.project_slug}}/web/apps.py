"""The configuration of the app `web`."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """The app `web`."""

    name = "{{ cookiecutter.project_slug }}.web"
    verbose_name = "Tasks"

    def ready(self) -> None:
        """Load the Celery application, so that `shared_task` uses it in HTTP processes, too, and the system checks."""
        from {{ cookiecutter.project_slug }} import celery_app as celery_app
        from {{ cookiecutter.project_slug }}.web import checks as checks
