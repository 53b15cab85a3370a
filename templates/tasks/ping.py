{% if plan().features.results %}
@shared_task(ignore_result=False)
{% else %}
@shared_task
{% endif %}
def ping(text: str = "pong") -> str:
    """Return the text. Use this task to check the worker of a queue."""
    return text
