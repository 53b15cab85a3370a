"""The Celery application: `celery -A {{ cookiecutter.project_slug }}.celery_app worker`."""

from {{ cookiecutter.project_slug }} import celeryconfig
{% if plan().features.redis %}
from {{ cookiecutter.project_slug }} import redis_transport as redis_transport  # registers the transport for redis://
{% endif %}
from {{ cookiecutter.project_slug }} import signals as signals  # connects the receivers
{% if plan().features.rabbitmq %}
from {{ cookiecutter.project_slug }}.delays import Celery
{% else %}
from {{ cookiecutter.project_slug }}.application import Celery
{% endif %}

app = Celery(
    "{{ cookiecutter.project_slug }}",
{% if plan().features.stop_requests %}
    task_cls="{{ cookiecutter.project_slug }}.stoppable_task:StoppableTask",
{% else %}
    task_cls="{{ cookiecutter.project_slug }}.base_task:BaseTask",
{% endif %}
)
app.set_default()  # for all threads, which would otherwise use Celery's default application
{% include "result-backends.py" %}
app.config_from_object(celeryconfig)
