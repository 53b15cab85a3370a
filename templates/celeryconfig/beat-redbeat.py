# --- Beat: RedBeat; several instances may run, and the one with the lock in Redis is active
beat_scheduler = "{{ cookiecutter.project_slug }}.beat:StandbyScheduler"
beat_schedule = BEAT_SCHEDULE  # schedule.py; beat writes it to Redis at its start, and deletes removed entries
beat_max_loop_interval = 5  # seconds; the maximum time between two attempts to extend or acquire the lock
redbeat_redis_url = env.redbeat_redis_url  # not the broker's database: flushing that must not delete the schedule
redbeat_key_prefix = "redbeat:{{ cookiecutter.project_slug }}:"  # several projects may share the database
redbeat_lock_timeout = 25  # seconds after which another instance takes over; five loops
redbeat_redis_options = {
    "socket_timeout": 5,  # seconds; the default is infinite: an unresponsive server would block beat
    "socket_connect_timeout": 5,  # seconds
    "socket_keepalive": True,  # detect a lost connection
    "health_check_interval": 25,  # seconds; firewalls drop idle connections
    "retry_period": 60,  # seconds of retries while Redis restarts; then beat exits, and its supervisor restarts it
}
