# --- Beat
beat_scheduler = "{{ cookiecutter.project_slug }}.beat:FileScheduler"  # a JSON file instead of dbm
beat_schedule = BEAT_SCHEDULE  # schedule.py
beat_sync_every = 1  # task; with the default of 3 minutes, a killed beat would publish tasks again
beat_max_loop_interval = 30  # seconds; the maximum time between two heartbeats of beat
