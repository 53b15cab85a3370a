{% if plan().features.results %}
@shared_task(ignore_result=False)
{% else %}
@shared_task
{% endif %}
def ping(text: str = "pong") -> str:
    """Return the text: any queue's worker can show with it that it runs tasks."""
    return text
