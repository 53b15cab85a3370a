"""The Celery application: `celery -A {{ cookiecutter.project_slug }}.celery_app worker`."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{{ cookiecutter.project_slug }}.settings.production")

{% if plan().features.redis %}
from {{ cookiecutter.project_slug }} import redis_transport as redis_transport  # registers the transport for redis://
{% endif %}
from {{ cookiecutter.project_slug }} import signals as signals  # connects the signal handlers
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
{% include "result-backends.py" %}
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()  # imports tasks.py of each installed app; their routes are in queues.py
