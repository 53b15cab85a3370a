"""The exceptions for expected failures of a task. `base_task.py` handles them for all tasks."""

import traceback

MAX_TRACEBACK_LENGTH = 4000
"""The maximum length of a traceback in a dead letter."""


class RetryableError(Exception):
    """A transient failure, such as a busy server. The task is retried with exponential backoff."""


class PermanentError(Exception):
    """A permanent failure, such as an unknown order. The task fails without a retry, and without a traceback in the logs."""


def format_traceback(error: BaseException) -> str:
    """Return the traceback of an error, without the beginning of a long one; "" if it has none."""
    return "".join(traceback.format_exception(error))[-MAX_TRACEBACK_LENGTH:] if error.__traceback__ else ""
