"""The worker's consumer, with a shutdown that acknowledges the tasks that it finishes."""

# mypy: disable-error-code="assignment, attr-defined"
# celery-types declares public names only, and `should_stop` as None.

import threading
from typing import Any

import structlog
from billiard.pool import CLOSE
from celery.concurrency.asynpool import AsynPool
from celery.concurrency.prefork import _run_ready_callbacks
from celery.concurrency.thread import TaskPool as ThreadPool
from celery.worker import consumer, state

log = structlog.get_logger(__name__)


class Consumer(consumer.Consumer):
    """A consumer that acknowledges the tasks that end during a shutdown."""

    def on_close(self) -> None:
        """Drop prefetched messages, but keep the tasks that were written to a pool process.

        Celery also drops tasks whose start the pool process has not reported yet. They run without being
        acknowledged, and their processes wait 30 s for a reader of their results.
        """
        pool: Any = getattr(self.pool, "_pool", None)
        written: dict[int, Any] = {}
        if isinstance(pool, AsynPool) and pool._state == CLOSE and state.should_terminate is None:
            written = {number: job for number, job in pool._cache.items() if job._write_to}
            for job in written.values():
                if (writer := job._writer()) in pool._active_writers:
                    pool._flush_writer(job._write_to, writer)  # the process waits for the rest of a long message
        super().on_close()
        if written:
            pool._cache.update((number, job) for number, job in written.items() if not job.ready())

    def stop(self) -> None:
        """Stop consuming, and keep the connection alive while a thread pool finishes its tasks, which Celery does not."""
        if state.should_stop is None:
            state.should_stop = 0  # `celery control shutdown` does not set it, signals do
        log.info("worker stopping", running_tasks=len(state.active_requests))
        super().stop()
        if self.hub and isinstance(self.pool, ThreadPool) and state.should_terminate is None:
            waiting = threading.Thread(target=self.pool.on_stop)
            waiting.start()
            while waiting.is_alive():
                waiting.join(0.1)
                self.hub.fire_timers()  # heartbeats
                _run_ready_callbacks(self.hub)  # acknowledgements
