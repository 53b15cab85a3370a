# --- Publishing: outlast a restart of the broker
task_publish_retry_policy = {
    "max_retries": int(env.celery_publish_timeout),  # the default gives up, and loses the task, in under a second
    "interval_start": 0,  # seconds; the first retry is at once
    "interval_step": 1,  # seconds; the others
    "interval_max": 1,  # seconds; are one a second
}
broker_pool_acquire_timeout = 10  # seconds; the default waits for a free connection for ever
