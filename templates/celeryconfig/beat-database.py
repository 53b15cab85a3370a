# --- Beat
beat_schedule = BEAT_SCHEDULE  # schedule.py; what is changed in Django's admin goes before it
beat_scheduler = "{{ cookiecutter.project_slug }}.periodic.scheduler:Scheduler"  # keeps edits by people
beat_max_loop_interval = 5  # seconds; beat looks so often for changes in the admin
