{% for queue in plan().queues | selectattr("tasks") %}
=== {{ queue.module }} ===
"""Unit tests of the tasks on the queue `{{ queue.name }}`: each runs here, without a worker."""

from {{ cookiecutter.project_slug }}.tasks import {{ queue.module }}
{% for task in queue.tasks %}


def test_{{ task.test_name }}() -> None:
    {{ task.test_body }}
{% endfor %}
{% endfor %}
