"""The part of a worker that receives messages: Celery's, with stops that run no task twice."""

# mypy: disable-error-code="assignment, attr-defined"
# celery-types describes public names only, and no exit status.

import threading
from typing import Any

from billiard.pool import CLOSE
from celery.concurrency.asynpool import AsynPool
from celery.concurrency.prefork import _run_ready_callbacks
from celery.concurrency.thread import TaskPool as ThreadPool
from celery.worker import consumer, state


class Consumer(consumer.Consumer):
    """A consumer that acknowledges each task which ends while the worker stops."""

    def on_close(self) -> None:
        """Forget messages that wait in this worker, but no task that a process has been given.

        When a worker stops, Celery also forgets tasks that it has not heard to have begun, though they run: they are
        never acknowledged, and their processes wait 30 s for somebody to read their results.
        """
        pool: Any = getattr(self.pool, "_pool", None)
        given: dict[int, Any] = {}
        if isinstance(pool, AsynPool) and pool._state == CLOSE and state.should_terminate is None:
            given = {number: job for number, job in pool._cache.items() if job._write_to}
            for job in given.values():
                if (writer := job._writer()) in pool._active_writers:
                    pool._flush_writer(job._write_to, writer)  # its process waits for the rest of a long message
        super().on_close()
        if given:
            pool._cache.update((number, job) for number, job in given.items() if not job.ready())

    def stop(self) -> None:
        """Stop to receive, and let a pool of threads end its tasks: Celery keeps no connection alive meanwhile."""
        if state.should_stop is None:
            state.should_stop = 0  # no signal, but `celery control shutdown`, which tells nobody
        super().stop()
        if self.hub and isinstance(self.pool, ThreadPool) and state.should_terminate is None:
            waiting = threading.Thread(target=self.pool.on_stop)
            waiting.start()
            while waiting.is_alive():
                waiting.join(0.1)
                self.hub.fire_timers()  # heartbeats
                _run_ready_callbacks(self.hub)  # acknowledgements
