"""Every Celery setting of this project, each with its reason on its line.

What differs between installations comes from the environment, by way of `settings.py`.
Reference: https://docs.celeryq.dev/en/stable/userguide/configuration.html
"""

{% for line in plan().config_imports %}
{{ line }}
{% endfor %}
{% for text in plan().config_texts %}

{% include "celeryconfig/" ~ text %}
{% endfor %}
