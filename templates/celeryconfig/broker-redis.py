# --- Broker: Redis or Valkey
broker_url = env.celery_broker_url  # redis://, rediss:// (TLS), redis+socket:// or sentinel://
broker_transport_options = {
    "lease": 30,  # seconds without a sign of life after which a worker's tasks are requeued (redis_transport.py)
    "visibility_timeout": 1260,  # seconds; all apps on a database need the same: leases are written relative to it
    "master_name": "mymaster",  # the name of the master, with sentinel://
    "connect_retries_timeout": env.celery_publish_timeout,  # seconds; caps the retries of a publish
    "socket_timeout": 10,  # seconds; the default is infinite: a silent peer would hang the worker
    "retry_on_timeout": True,  # or an acknowledgement is lost with its connection, and its task held until a stop
    "socket_connect_timeout": 5,  # seconds
    "socket_keepalive": True,  # notice a peer that vanished without a word
    "health_check_interval": 10,  # seconds; firewalls drop idle connections, and tell nobody
    "client_name": "{{ cookiecutter.project_slug }}",  # who it is, in CLIENT LIST
}
worker_cancel_long_running_tasks_on_connection_loss = False  # True loses running tasks when Redis restarts
