# --- Broker: Amazon SQS
broker_url = env.celery_broker_url  # sqs://; credentials from a role, or from AWS_ACCESS_KEY_ID
broker_transport_options = {
    "region": env.aws_region,
    "predefined_queues": build_predefined_queues(env.sqs_queue_url_prefix),  # created by deploy/aws/queues.yaml
    "wait_time_seconds": 20,  # seconds of long polling; SQS's maximum, because each request costs money
    "connect_retries_timeout": env.celery_publish_timeout,  # seconds of retries when publishing
    "is_secure": True,  # TLS, also if the URL contains a host
    "client-config": {
        "connect_timeout": min(5, max(1, env.celery_publish_timeout)),  # seconds; the default is a minute
        "read_timeout": min(10, max(3, env.celery_publish_timeout)),  # seconds; as above
        "retries": {"mode": "standard", "total_max_attempts": 3},  # within a second; Celery retries for longer
    },
}
worker_enable_remote_control = False  # SQS does not support broadcast: no inspect, no revoke, no Flower
