"""The run history: a row in the database for each run of a task, written by the workers.

    @shared_task
    @hide_arguments
    def send_password(email: str, password: str) -> None: ...

`HISTORY_REDACTED_ARGUMENTS` redacts single arguments by name.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def hide_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Exclude the arguments of a task from the history. Use this decorator below `@shared_task`."""
    function.hide_arguments = True  # type: ignore[attr-defined]
    return function
