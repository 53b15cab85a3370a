# --- Beat
beat_scheduler = "{{ cookiecutter.project_slug }}.beat:FileScheduler"  # a file of JSON instead of a dbm
beat_schedule = BEAT_SCHEDULE  # schedule.py
beat_sync_every = 1  # task; the default writes the file each three minutes, and a killed beat would send twice
beat_max_loop_interval = 30  # seconds; beat wakes at least this often, so that its heartbeat shows it alive
