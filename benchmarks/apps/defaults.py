"""An application with Celery's defaults; with `CONFIRMS`, quorum queues and publisher confirms."""

import os

from celery import Celery

app = Celery("defaults", broker=os.environ["CELERY_BROKER_URL"], include=["tiny"])
if os.environ.get("CONFIRMS"):
    app.conf.broker_transport_options = {"confirm_publish": True}
    app.conf.task_default_queue_type = "quorum"
