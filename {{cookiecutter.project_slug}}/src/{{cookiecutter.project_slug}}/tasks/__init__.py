"""The tasks, a module a queue."""

# Whoever imports a task sends it with this application. Without it, the task would belong to Celery's
# default one, which knows neither our queues nor our settings.
from {{ cookiecutter.project_slug }}.celery_app import app as app
