# --- Examples
include = (  # their tasks have no route, so they run on the first queue
{% for module in plan().example_modules %}
    "{{ module }}",
{% endfor %}
)
