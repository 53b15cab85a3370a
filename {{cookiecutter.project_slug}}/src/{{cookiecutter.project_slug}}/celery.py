"""The module that `celery -A {{ cookiecutter.project_slug }}` loads. The application is in `celery_app.py`."""

from {{ cookiecutter.project_slug }}.celery_app import app as app
