@shared_task
{{ job.signature }}
    """Beat runs this {{ job.schedule.words }}; what it does is yours to write."""
{% if job.arguments %}
{% filter one_line_if_short %}
    log.info(
        "{{ job.function }} is still a stub",
        arguments={
{% for argument in job.arguments %}
            "{{ argument.name }}": {{ argument.name }},
{% endfor %}
        },
    )
{% endfilter %}
{% else %}
    log.info("{{ job.function }} is still a stub")
{% endif %}
