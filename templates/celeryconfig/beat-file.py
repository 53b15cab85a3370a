# --- Beat
beat_schedule = BEAT_SCHEDULE  # schedule.py
beat_max_loop_interval = 30  # seconds; beat wakes at least this often, so that its heartbeat shows it alive
