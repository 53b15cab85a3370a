"""What beat sends, and when. A job that no worker took before its next run expires instead of piling up."""

{% for line in plan().schedule_imports %}
{{ line }}
{% endfor %}

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
{% for job in plan().jobs %}
    {{ job.key | python }}: {
{% for name, code in job.entry %}
        "{{ name }}": {{ code }},
{% endfor %}
    },
{% endfor %}
}
