"""What beat sends, and when. A job that no worker took before its next run expires instead of piling up."""

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
{% for name, code in job.entry %}
        "{{ name }}": {{ code }},
{% endfor %}
    },
{% endfor %}
}
