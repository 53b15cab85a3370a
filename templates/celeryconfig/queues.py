# --- Queues and routes (queues.py)
task_queues = TASK_QUEUES  # declared, so that a worker and a publisher agree on their properties
# The first that answers wins; a task's module names its queue.
{% if plan().features.examples %}
task_routes = ["{{ cookiecutter.project_slug }}.examples.routing.route_urgent", TASK_ROUTES]
{% else %}
task_routes = [TASK_ROUTES]
{% endif %}
task_default_queue = TASK_QUEUES[0].name  # where a task without a route goes
task_create_missing_queues = False  # a misspelt queue is an error, not a queue that nobody consumes
