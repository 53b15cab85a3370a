# --- Broker: Amazon SQS
broker_url = env.celery_broker_url  # sqs://; the credentials are a role's, or those of AWS_ACCESS_KEY_ID
broker_transport_options = {
    "region": env.aws_region,
    "predefined_queues": predefined_queues(env.sqs_queue_url_prefix),  # of deploy/aws/queues.yaml: Celery makes none
    "wait_time_seconds": 20,  # seconds that a request waits for a message; SQS's maximum, since each request costs
    "connect_retries_timeout": env.celery_publish_timeout,  # seconds; caps the retries of a publish
    "is_secure": True,  # TLS, also when the URL names a host
    "client-config": {
        "connect_timeout": min(5, max(1, env.celery_publish_timeout)),  # seconds; the default is a minute
        "read_timeout": min(10, max(3, env.celery_publish_timeout)),  # seconds; likewise
        "retries": {"mode": "standard", "total_max_attempts": 3},  # within a second; longer ones are Celery's
    },
}
worker_enable_remote_control = False  # SQS cannot broadcast: no inspect, no revoke, no Flower
