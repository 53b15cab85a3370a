# --- Results: opt in with @shared_task(ignore_result=False)
result_backend = "django-db"  # tables of Django's database, and pages of its admin
task_ignore_result = True  # a result nobody reads costs a write, and an outage of the database would block .delay()
task_track_started = True  # STARTED tells a running task from a queued one, where a result is kept
result_expires = 86400  # seconds (a day) until beat has celery.backend_cleanup delete a result
result_extended = True  # keep the task's name and arguments with its result, for whoever looks
