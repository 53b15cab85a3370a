# --- Broker: RabbitMQ
broker_url = env.celery_broker_url  # amqp:// or amqps:// (TLS)
broker_transport_options = {
    "confirm_publish": True,  # .delay() returns after the broker's confirmation; rabbitmq_transport.py limits the wait
    "connect_retries_timeout": env.celery_publish_timeout,  # seconds of retries when publishing
}
broker_heartbeat = 30  # seconds; detects a lost connection in one minute instead of four
control_queue_exclusive = False  # an exclusive queue blocks a worker until RabbitMQ detects its lost connection
control_queue_durable = True  # RabbitMQ 4.3 requires exclusive or durable; an unused queue expires
event_queue_exclusive = False  # as above
event_queue_durable = True  # as above
task_default_queue_type = "quorum"  # replicated and durable; counts deliveries, to detect poison tasks
task_default_exchange_type = "topic"  # required by native delayed delivery (countdown, eta, retries)
task_create_missing_queue_type = "quorum"  # if missing queues are allowed
task_create_missing_queue_exchange_type = "topic"  # as above
worker_cancel_long_running_tasks_on_connection_loss = True  # the broker redelivers them: no parallel run
task_acks_on_failure = False  # failed tasks are rejected and become dead letters (dead_letters.py)
