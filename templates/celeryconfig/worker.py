# --- Workers (concurrency and pool are arguments of the worker of each queue)
worker_prefetch_multiplier = 1  # one message per process: a long task does not delay prefetched ones
worker_max_tasks_per_child = 1000  # replaces processes regularly, which limits memory leaks
worker_consumer = "{{ cookiecutter.project_slug }}.consumer:Consumer"  # acknowledges tasks during a shutdown
worker_max_memory_per_child = 192 * 1024  # KiB; a larger process is replaced after its task
broker_connection_retry_on_startup = True  # wait for a broker that starts after the worker
broker_connection_max_retries = None  # reconnect forever; by default, a worker exits after 100 retries
