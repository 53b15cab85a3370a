"""A tour of patterns, each in a module of its own.

Its tasks have no route, so they run on the first queue. When you have seen enough, delete this folder,
`tests/examples/`, and their mention in `{{ plan().framework.celery_settings }}`.
"""

from {{ cookiecutter.project_slug }}.celery_app import app as app  # as in tasks/
