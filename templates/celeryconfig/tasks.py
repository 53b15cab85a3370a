# --- Tasks: nothing is lost
task_acks_late = True  # acknowledge after the run: a lost worker's task runs again, so make it idempotent
task_reject_on_worker_lost = True  # a killed pool process gives its task back instead of failing it
task_retry_on_worker_lost = True  # count that as a retry, or a task that kills its process would run for ever
task_time_limit = {{ plan().limits.task_time_limit }}  # seconds; a stuck task is killed, or it would hold its process for ever
task_soft_time_limit = {{ plan().limits.soft_time_limit }}  # seconds; raises SoftTimeLimitExceeded first, time to clean up
