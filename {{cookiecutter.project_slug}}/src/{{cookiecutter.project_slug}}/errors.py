"""The exceptions for expected failures of a task. `base_task.py` handles them for all tasks."""


class RetryableError(Exception):
    """A transient failure, such as a busy server. The task is retried with exponential backoff."""


class PermanentError(Exception):
    """A permanent failure, such as an unknown order. The task fails without a retry, and without a traceback in the logs."""
