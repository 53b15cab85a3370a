"""The tasks, one module per queue."""

# An imported task uses this application. Without this import, it would use Celery's default application, which has
# neither the queues nor the settings.
from {{ cookiecutter.project_slug }}.celery_app import app as app
