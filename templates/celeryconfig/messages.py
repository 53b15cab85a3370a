# --- Messages
accept_content = ["json"]  # never pickle: write access to the broker would allow running code in the workers
timezone = "{{ plan().project.timezone }}"  # of crontabs; messages and logs use UTC
# A worker rejects the messages of tasks whose modules it did not import.
{% filter one_line_if_short(reserved=plan().framework.setting_prefix | length) %}
imports = [
    "{{ cookiecutter.project_slug }}.dead_letter_store",
{% if plan().features.monitoring %}
    "{{ cookiecutter.project_slug }}.metrics",
{% endif %}
{% if plan().features.beat_metrics %}
    "{{ cookiecutter.project_slug }}.beat_metrics",
{% endif %}
{% if plan().features.history %}
    "{{ cookiecutter.project_slug }}.control.watcher",
    "{{ cookiecutter.project_slug }}.history.recorder",
{% endif %}
    *TASK_MODULES,
]
{% endfilter %}
