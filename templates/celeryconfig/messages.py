# --- Messages
accept_content = ["json"]  # never pickle: whoever can write to the broker could run code in the workers
timezone = "{{ plan().project.timezone }}"  # what local time means, in crontabs and in logs; messages carry UTC
# A worker that lacks a task's module would discard its messages.
{% filter one_line_if_short(reserved=plan().framework.setting_prefix | length) %}
imports = [
    "{{ cookiecutter.project_slug }}.dead_letter_store",
{% if plan().features.monitoring %}
    "{{ cookiecutter.project_slug }}.metrics",
{% endif %}
{% if plan().features.beat_metrics %}
    "{{ cookiecutter.project_slug }}.beat_metrics",
{% endif %}
    *TASK_MODULES,
]
{% endfilter %}
