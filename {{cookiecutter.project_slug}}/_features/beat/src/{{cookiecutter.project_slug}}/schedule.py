"""The schedule of beat. A run expires before the next one is due, so that missed runs do not accumulate."""

{% if "interval" in plan().schedule_kinds %}
from datetime import timedelta
{% endif %}
from typing import Any
{% if "crontab" in plan().schedule_kinds and "solar" in plan().schedule_kinds %}

from celery.schedules import crontab, solar
{% elif "crontab" in plan().schedule_kinds %}

from celery.schedules import crontab
{% elif "solar" in plan().schedule_kinds %}

from celery.schedules import solar
{% endif %}

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
{% for job in plan().jobs %}
    {{ job.key | python }}: {
        "task": "{{ job.task }}",
        "schedule": {{ job.schedule.code }},
{% if job.args %}
        "args": {{ job.args | python(indent=8, used=17) }},
{% endif %}
{% if job.kwargs %}
        "kwargs": {{ job.kwargs | python(indent=8, used=19) }},
{% endif %}
{% filter one_line_if_short %}
        "options": {
            "queue": "{{ job.queue }}",
            "expires": {{ job.expires }},
        },
{% endfilter %}
    },
{% endfor %}
{% if plan().features.session_cleanup %}
    "django.clearsessions": {
        "task": "{{ cookiecutter.project_slug }}.users.tasks.clear_expired_sessions",
        "schedule": crontab(minute="30", hour="4"),
{% filter one_line_if_short %}
        "options": {
            "queue": "{{ plan().default_queue.name }}",
            "expires": 43200,
        },
{% endfilter %}
    },
{% endif %}
}
