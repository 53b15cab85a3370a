{% for queue in plan().queues %}
=== {{ queue.module }} ===
"""Tasks that run on the queue `{{ queue.name }}`."""
{% if queue.uses_any %}

from typing import Any
{% endif %}
{% if queue.jobs %}

import structlog
from celery import shared_task

log = structlog.get_logger(__name__)
{% elif queue.tasks %}

from celery import shared_task
{% endif %}
{% if loop.first %}


{% include "tasks/ping.py" %}
{% endif %}
{% for job in queue.jobs %}


{% include "tasks/job.py" %}
{% endfor %}
{% endfor %}
