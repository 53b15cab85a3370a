# --- Examples: without a route, so their tasks run on the first queue
{% filter one_line_if_short(reserved=plan().framework.setting_prefix | length) %}
include = [
{% if plan().features.redis_examples %}
    "{{ cookiecutter.project_slug }}.examples.idempotency",
{% endif %}
    "{{ cookiecutter.project_slug }}.examples.payments",
{% if plan().features.result_examples %}
    "{{ cookiecutter.project_slug }}.examples.progress",
{% endif %}
    "{{ cookiecutter.project_slug }}.examples.rates",
    "{{ cookiecutter.project_slug }}.examples.retries",
{% if plan().features.cancellation_examples %}
    "{{ cookiecutter.project_slug }}.examples.stopping",
{% endif %}
{% if plan().features.redis_examples %}
    "{{ cookiecutter.project_slug }}.examples.unique",
{% endif %}
{% if plan().features.result_examples %}
    "{{ cookiecutter.project_slug }}.examples.workflows",
{% endif %}
]
{% endfilter %}
