"""The Celery settings, each with its reason on its line.

Settings that differ between environments are environment variables (`settings.py`).
Reference: https://docs.celeryq.dev/en/stable/userguide/configuration.html
"""

from {{ cookiecutter.project_slug }}.queues import TASK_MODULES, TASK_QUEUES, TASK_ROUTES
{% if plan().features.beat %}
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE
{% endif %}
from {{ cookiecutter.project_slug }}.settings import env
{% if plan().features.sqs %}
from {{ cookiecutter.project_slug }}.sqs import build_predefined_queues
{% endif %}

{% if plan().features.redis %}
{% include "celeryconfig/broker-redis.py" %}
{% elif plan().features.rabbitmq %}
{% include "celeryconfig/broker-rabbitmq.py" %}
{% elif plan().features.sqs %}
{% include "celeryconfig/broker-sqs.py" %}
{% endif %}

{% include "celeryconfig/queues.py" %}

{% include "celeryconfig/messages.py" %}

{% include "celeryconfig/publishing.py" %}

{% include "celeryconfig/tasks.py" %}

{% include "celeryconfig/worker.py" %}

{% if plan().features.redis_results %}
{% include "celeryconfig/results-redis.py" %}
{% elif plan().features.database_results %}
{% include "celeryconfig/results-database.py" %}
{% elif not plan().features.results %}
{% include "celeryconfig/results-none.py" %}
{% endif %}
{% if plan().features.examples %}

{% include "celeryconfig/examples.py" %}
{% endif %}
{% if plan().features.file_schedule %}

{% include "celeryconfig/beat-file.py" %}
{% elif plan().features.redbeat %}

{% include "celeryconfig/beat-redbeat.py" %}
{% endif %}
{% if plan().features.beat_remote_control %}

{% include "celeryconfig/beat-remote-control.py" %}
{% endif %}
