# --- Tasks: at-least-once delivery
task_acks_late = True  # acknowledge after the run: the task of a lost worker runs again, so make it idempotent
task_reject_on_worker_lost = True  # requeue the task of a killed pool process
task_retry_on_worker_lost = True  # count it as a retry: a task that kills its process must not run forever
task_time_limit = {{ plan().limits.task_time_limit }}  # seconds; a stuck task is killed, so that it does not block its process forever
task_soft_time_limit = {{ plan().limits.soft_time_limit }}  # seconds; raises SoftTimeLimitExceeded first, so that the task can clean up
