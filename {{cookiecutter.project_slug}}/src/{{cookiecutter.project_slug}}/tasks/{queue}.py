{% for queue in plan().queues %}
=== {{ queue.module }} ===
"""Tasks that run on the queue `{{ queue.name }}`."""
{% for line in queue.preamble %}
{{ line }}
{% endfor %}
{% for task in queue.tasks %}


{{ task.decorator }}
{{ task.signature }}
    """{{ task.doc }}"""
    {{ task.body }}
{% endfor %}
{% endfor %}
