"""What `celery -A {{ cookiecutter.project_slug }}` finds, as in Celery's guides; the application is in `celery_app.py`."""

from {{ cookiecutter.project_slug }}.celery_app import app as app
