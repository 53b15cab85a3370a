# --- Queues and routes (queues.py)
task_queues = TASK_QUEUES  # declared, so that a worker and a publisher agree on their properties
task_routes = TASK_ROUTES  # a task's module names its queue
task_default_queue = TASK_QUEUES[0].name  # where a task without a route goes
task_create_missing_queues = False  # a misspelt queue is an error, not a queue that nobody consumes
