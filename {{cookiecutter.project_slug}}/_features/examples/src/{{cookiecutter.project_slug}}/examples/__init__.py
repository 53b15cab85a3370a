"""Example tasks, one pattern per module. They have no route, so they run on the first queue.

To remove the examples, delete:

- this directory and `tests/examples/`
- `include` and the route `route_urgent` in `{{ plan().framework.celery_settings }}`
{% if plan().features.cancellation_examples %}
- the names of their tasks in `SUBMITTABLE` of `submissions.py`
{% endif %}
"""

from {{ cookiecutter.project_slug }}.celery_app import app as app  # `shared_task` needs the application
