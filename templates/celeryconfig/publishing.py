# --- Publishing: retries during a restart of the broker
task_publish_retry_policy = {
    "max_retries": int(env.celery_publish_timeout),  # by default, publishing fails within a second
    "interval_start": 0,  # seconds before the first retry
    "interval_step": 1,  # seconds added for each further retry
    "interval_max": 1,  # seconds; one retry per second
}
broker_pool_acquire_timeout = 10  # seconds; by default, a publish waits for a free connection forever
