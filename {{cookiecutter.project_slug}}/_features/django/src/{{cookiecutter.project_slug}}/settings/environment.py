{% include "environment.py" %}
