"""The storage of the pauses in Django's database."""

import django
from django.apps import apps

if not apps.models_ready:
    django.setup()  # in a command such as `python -m {{ cookiecutter.project_slug }}.control`

from {{ cookiecutter.project_slug }}.control import models
from {{ cookiecutter.project_slug }}.control.pauses import Kind, Pause
from {{ cookiecutter.project_slug }}.history.store import close_if_unusable


def list_pauses() -> list[Pause]:
    """Return all pauses."""
    close_if_unusable()
    return [Pause(*row) for row in models.Pause.objects.values_list("kind", "name", "at", "by")]


def add_pause(kind: Kind, name: str, by: str) -> None:
    """Add a pause. An existing one stays as it is."""
    models.Pause.objects.get_or_create(kind=kind, name=name, defaults={"by": by})


def delete_pause(kind: Kind, name: str) -> None:
    """Delete a pause if it exists."""
    models.Pause.objects.filter(kind=kind, name=name).delete()
