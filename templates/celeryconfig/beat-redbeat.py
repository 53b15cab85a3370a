# --- Beat, by RedBeat: several may run, and the one that holds a lock in Redis sends
beat_scheduler = "{{ cookiecutter.project_slug }}.beat:StandbyScheduler"
beat_schedule = BEAT_SCHEDULE  # schedule.py; copied into Redis when beat starts, and removed from there likewise
beat_max_loop_interval = 5  # seconds; beat wakes at least this often, to keep the lock or to ask for it
redbeat_redis_url = env.redbeat_redis_url  # not the broker's database: purging that must not empty the schedule
redbeat_key_prefix = "redbeat:{{ cookiecutter.project_slug }}:"  # several projects may share that database
redbeat_lock_timeout = 25  # seconds without a sign of life until another beat takes over; five loops
redbeat_redis_options = {
    "socket_timeout": 5,  # seconds; the default is infinite: a silent peer would hang beat
    "socket_connect_timeout": 5,  # seconds
    "socket_keepalive": True,  # notice a peer that vanished without a word
    "health_check_interval": 25,  # seconds; firewalls drop idle connections
    "retry_period": 60,  # seconds to outlast a restart of Redis; then beat ends, and its supervisor starts it again
}
