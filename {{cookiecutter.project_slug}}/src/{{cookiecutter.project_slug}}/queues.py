"""The queues and the routes, and nothing else.

A task of the module `tasks/<queue>.py` runs on that queue. To add one: a name here, a module there, and a
worker in `compose.yaml` and `deploy/systemd/`; `make test` says what is missing.
"""

from enum import StrEnum

{{ plan().broker.queue_import.format(slug=plan().slug) }}


class QueueName(StrEnum):
    """Every queue; unrouted tasks go to the first."""

{% for queue in plan().queues %}
    {{ queue.module | upper }} = "{{ queue.name }}"
{% endfor %}


TASK_MODULES = tuple(f"{{ cookiecutter.project_slug }}.tasks.{name.lower()}" for name in QueueName.__members__)
TASK_QUEUES = tuple({{ plan().broker.queue_code }} for name in QueueName)
TASK_ROUTES = {f"{module}.*": {"queue": name.value} for module, name in zip(TASK_MODULES, QueueName, strict=True)}
