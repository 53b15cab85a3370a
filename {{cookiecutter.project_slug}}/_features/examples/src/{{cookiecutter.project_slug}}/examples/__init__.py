"""A tour of patterns, one per module. Its tasks have no route, so they run on the first queue.

To remove it, delete:

- this folder and `tests/examples/`
- `include` and the route `route_urgent` in `{{ plan().framework.celery_settings }}`
{% if plan().features.cancellation_examples %}
- their names in `SUBMITTABLE` of `submissions.py`
{% endif %}
"""

from {{ cookiecutter.project_slug }}.celery_app import app as app  # as in tasks/
