"""An application with Celery's defaults; with `GUARANTEES`, the settings of a project that concern delivery."""

import os

from celery import Celery

app = Celery("defaults", broker=os.environ["CELERY_BROKER_URL"], include=["tiny"])
if os.environ.get("GUARANTEES"):
    app.conf.task_acks_late = True
    app.conf.task_reject_on_worker_lost = True
    app.conf.worker_prefetch_multiplier = 1
if os.environ.get("GUARANTEES") == "rabbitmq":
    app.conf.task_default_queue_type = "quorum"
    app.conf.broker_transport_options = {"confirm_publish": True}
