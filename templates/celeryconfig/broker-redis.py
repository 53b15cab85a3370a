# --- Broker: Redis or Valkey
broker_url = env.celery_broker_url  # redis://, rediss:// (TLS), redis+socket:// or sentinel://
broker_transport_options = {
    "lease": 30,  # seconds after the last renewal until the tasks of a worker are requeued (redis_transport.py)
    "visibility_timeout": 1260,  # seconds; leases are relative to it: all apps on a database need the same value
    "master_name": "mymaster",  # the name of the master with sentinel://
    "connect_retries_timeout": env.celery_publish_timeout,  # seconds of retries when publishing
    "socket_timeout": 10,  # seconds; the default is infinite: an unresponsive server would block the worker
    "retry_on_timeout": True,  # otherwise a timeout loses an acknowledgement, and its task is held until shutdown
    "socket_connect_timeout": 5,  # seconds
    "socket_keepalive": True,  # detect a lost connection
    "health_check_interval": 10,  # seconds; firewalls silently drop idle connections
    "client_name": "{{ cookiecutter.project_slug }}",  # the name in CLIENT LIST
}
worker_cancel_long_running_tasks_on_connection_loss = False  # True loses running tasks when Redis restarts
