# --- Broker: RabbitMQ
broker_url = env.celery_broker_url  # amqp:// or amqps:// (TLS)
broker_transport_options = {
    "confirm_publish": True,  # .delay() returns when the broker has the task; rabbitmq_transport.py limits the wait
    "connect_retries_timeout": env.celery_publish_timeout,  # seconds; caps the retries of a publish
}
broker_heartbeat = 30  # seconds; notice a lost connection in a minute rather than in four
control_queue_exclusive = False  # an exclusive one locks a worker out until RabbitMQ notices its lost connection
control_queue_durable = True  # RabbitMQ 4.3 requires one of both; when unused, the queue expires
event_queue_exclusive = False  # as above
event_queue_durable = True  # as above
task_default_queue_type = "quorum"  # replicated and written to disk; poison tasks are counted
task_default_exchange_type = "topic"  # what native delayed delivery (countdown, eta, retries) needs
task_create_missing_queue_type = "quorum"  # in case somebody allows missing queues
task_create_missing_queue_exchange_type = "topic"  # likewise
worker_cancel_long_running_tasks_on_connection_loss = True  # the broker hands them out again: run none twice
task_acks_on_failure = False  # what failed for good is rejected, and becomes a dead letter (dead_letters.py)
