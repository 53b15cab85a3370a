# --- Results: opt in with @shared_task(ignore_result=False)
result_backend = env.celery_result_backend  # not the broker's database: flushing one must not delete the other
task_ignore_result = True  # saves a write per task, and an outage of Redis does not block .delay()
task_track_started = True  # STARTED distinguishes running from queued tasks
result_expires = 86400  # seconds (a day) until Redis deletes a result
result_extended = True  # store the name and arguments of the task with its result
redis_socket_connect_timeout = 5  # seconds; the default is the operating system's timeout
redis_socket_keepalive = True  # detect a lost connection
redis_socket_timeout = 10  # seconds; the default is two minutes
redis_retry_on_timeout = True  # a slow reply is not a lost connection
redis_backend_health_check_interval = 25  # seconds; firewalls drop idle connections
result_backend_transport_options = {
    "retry_policy": {"timeout": 5.0},  # seconds of retries when storing or reading a result
}
result_backend_always_retry = True  # the default loses the result when Redis restarts; see result_store.py
result_backend_max_retries = 0  # when reading; result_store.py sets the retries when storing
result_backend_base_sleep_between_retries_ms = 1000  # the first delay
result_backend_max_sleep_between_retries_ms = 2000  # the maximum delay
