# --- Queues and routes (queues.py)
task_queues = TASK_QUEUES  # declared: workers and publishers use the same queue properties
# The first match applies. The module of a task determines its queue.
{% if plan().features.examples %}
task_routes = ["{{ cookiecutter.project_slug }}.examples.routing.route_urgent", TASK_ROUTES]
{% else %}
task_routes = [TASK_ROUTES]
{% endif %}
task_default_queue = TASK_QUEUES[0].name  # for tasks without a route
task_create_missing_queues = False  # a misspelled queue is an error, not a queue without consumers
