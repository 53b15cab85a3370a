# --- Beat
beat_schedule = BEAT_SCHEDULE  # schedule.py; changes in Django's admin take precedence
beat_scheduler = "{{ cookiecutter.project_slug }}.periodic.scheduler:Scheduler"  # keeps the admin's changes
beat_max_loop_interval = 5  # seconds between two checks for changes in the admin
