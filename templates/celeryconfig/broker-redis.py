# --- Broker: Redis or Valkey
broker_url = env.celery_broker_url  # redis:// or rediss:// (TLS)
broker_transport_options = {
    "visibility_timeout": {{ plan().limits.visibility_timeout }},  # seconds; time limit + longest delay ({{ plan().limits.longest_delay }}) + 60, or a task runs twice
    "unacked_restore_throttle": 1,  # look for a lost worker's tasks at each interval (10 s), not at each tenth
    "connect_retries_timeout": env.celery_publish_timeout,  # seconds; caps the retries of a publish
    "socket_timeout": 30,  # seconds; the default is infinite: a silent peer would hang the worker
    "socket_connect_timeout": 5,  # seconds
    "socket_keepalive": True,  # notice a peer that vanished without a word
    "health_check_interval": 25,  # seconds; firewalls drop idle connections
    "client_name": "{{ cookiecutter.project_slug }}",  # who it is, in CLIENT LIST
}
worker_cancel_long_running_tasks_on_connection_loss = False  # True loses running tasks when Redis restarts
