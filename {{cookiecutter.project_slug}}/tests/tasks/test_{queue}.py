{% for queue in plan().queues if queue.tasks %}
=== {{ queue.module }} ===
"""Unit tests of the tasks on the queue `{{ queue.name }}`, without a worker."""

from {{ cookiecutter.project_slug }}.tasks import {{ queue.module }}
{% if loop.first %}


def test_ping() -> None:
    assert {{ queue.module }}.ping("hello") == "hello"
{% endif %}
{% for job in queue.jobs %}


def test_{{ job.function }}() -> None:
    {{ job.call }}
{% endfor %}
{% endfor %}
