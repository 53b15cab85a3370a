# --- Workers (concurrency and pool are arguments of each queue's worker)
worker_prefetch_multiplier = 1  # one message a process: a long task does not hold others back
worker_max_tasks_per_child = 1000  # a fresh process now and then bounds what leaks
worker_consumer = "{{ cookiecutter.project_slug }}.consumer:Consumer"  # whose stops run no task twice
worker_max_memory_per_child = 192 * 1024  # KiB; a larger process is replaced after its task
broker_connection_retry_on_startup = True  # wait for a broker that starts later than the worker
broker_connection_max_retries = None  # reconnect for ever; the default gives up after 100 tries
