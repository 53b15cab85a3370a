# --- Results: opt in with @shared_task(ignore_result=False)
result_backend = env.celery_result_backend  # not the broker's database: flushing one must not empty the other
task_ignore_result = True  # a result nobody reads costs a write, and an outage of Redis would block .delay()
task_track_started = True  # STARTED tells a running task from a queued one, where a result is kept
result_expires = 86400  # seconds (a day) until Redis forgets a result
result_extended = True  # keep the task's name and arguments with its result, for whoever looks
redis_socket_connect_timeout = 5  # seconds; the default waits for the operating system's
redis_socket_keepalive = True  # notice a peer that vanished without a word
redis_socket_timeout = 10  # seconds; the default waits two minutes for a silent peer
redis_retry_on_timeout = True  # a slow answer is not yet a lost one
redis_backend_health_check_interval = 25  # seconds; firewalls drop idle connections
result_backend_transport_options = {
    "retry_policy": {"timeout": 5.0},  # seconds; how long storing or reading a result may retry
}
result_backend_always_retry = True  # the default loses the result when Redis restarts; see result_store.py
result_backend_max_retries = 0  # for reading; result_store.py has those for storing
result_backend_base_sleep_between_retries_ms = 1000  # from one second
result_backend_max_sleep_between_retries_ms = 2000  # to two
