@shared_task
{{ job.signature }}
    """Periodic task ({{ job.schedule.words }}), not implemented yet."""
{% if job.arguments %}
{% filter one_line_if_short %}
    log.info(
        "task not implemented",
        arguments={
{% for argument in job.arguments %}
            "{{ argument.name }}": {{ argument.name }},
{% endfor %}
        },
    )
{% endfilter %}
{% else %}
    log.info("task not implemented")
{% endif %}
