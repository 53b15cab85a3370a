"""The queues and the routes.

The tasks in `tasks/<queue>.py` run on that queue. To add a queue, add its name here and run `make test`: each failure
names a file and the lines to copy there.
"""

from enum import StrEnum

{% if plan().features.redis %}
from kombu import Queue
{% elif plan().features.rabbitmq %}
from {{ cookiecutter.project_slug }}.quorum import build_task_queue
{% elif plan().features.sqs %}
from kombu import Queue
{% endif %}


class QueueName(StrEnum):
    """The queues. Tasks without a route use the first."""

{% for queue in plan().queues %}
    {{ queue.module | upper }} = "{{ queue.name }}"
{% endfor %}


TASK_MODULES = tuple(f"{{ cookiecutter.project_slug }}.tasks.{name.lower()}" for name in QueueName.__members__)
{% if plan().features.redis %}
TASK_QUEUES = tuple(Queue(name.value, routing_key=name.value) for name in QueueName)
{% elif plan().features.rabbitmq %}
TASK_QUEUES = tuple(build_task_queue(name.value) for name in QueueName)
{% elif plan().features.sqs %}
TASK_QUEUES = tuple(Queue(name.value, routing_key=name.value) for name in QueueName)
{% endif %}
TASK_ROUTES = {f"{module}.*": {"queue": name.value} for module, name in zip(TASK_MODULES, QueueName, strict=True)}
{% if plan().features.django %}
# One route for the tasks.py of each other app.
{% filter one_line_if_short %}
TASK_ROUTES["{{ cookiecutter.project_slug }}.reports.tasks.*"] = {
    "queue": QueueName.{{ plan().default_queue.module | upper }}.value,
}
{% endfilter %}
{% endif %}
{% if plan().features.session_cleanup %}
{% filter one_line_if_short %}
TASK_ROUTES["{{ cookiecutter.project_slug }}.users.tasks.*"] = {
    "queue": QueueName.{{ plan().default_queue.module | upper }}.value,
}
{% endfilter %}
{% endif %}
