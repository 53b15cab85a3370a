"""Every Celery setting of this project, each with its reason on its line.

What differs between installations comes from the environment, by way of `settings.py`.
Reference: https://docs.celeryq.dev/en/stable/userguide/configuration.html
"""

{{ plan().config_imports | join("\n") }}

{{ text(*plan().config_texts, folder="celeryconfig") }}
