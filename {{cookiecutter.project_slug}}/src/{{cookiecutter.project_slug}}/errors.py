"""The failures that a task may announce. What becomes of each is decided in `base_task.py`, for all tasks."""


class RetryableError(Exception):
    """What passes by itself, as a server that is busy: the task runs again, later and later, a few times."""


class PermanentError(Exception):
    """What no repetition changes, as an order that does not exist: the task fails at once, and without a traceback."""
