"""Workflows: chain, group, chord, graph, chunks, and a chain that is built from data.

The tasks store their results, since the next task receives them. If a task fails permanently, the following tasks do
not run, and `get()` raises the exception.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import structlog
from celery import Signature, Task, chain, chord, group, shared_task
from celery.app.task import Context
from pydantic import BaseModel, ConfigDict, ValidationError

log = structlog.get_logger(__name__)


@shared_task(ignore_result=False)
def add(left: int, right: int) -> int:
    """Return the sum of two numbers."""
    return left + right


@shared_task(ignore_result=False)
def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


@shared_task(ignore_result=False)
def share(number: int, parts: int) -> int:
    """Return the number divided by the number of parts, rounded down. It fails for zero parts."""
    return number // parts


@shared_task(ignore_result=False)
def total(numbers: list[int]) -> int:
    """Return the sum of the numbers."""
    return sum(numbers)


@shared_task
def report_failure(request: Context, error: BaseException, traceback: object) -> None:
    """Log the failure of a workflow. Celery calls this error callback with these arguments on a worker."""
    log.error("workflow failed", part=request.id, error=repr(error))


def build_chain(left: int, right: int) -> Signature[Any]:
    """Return a chain: each task receives the result of the previous one."""
    return chain(add.s(left, right), double.s())


def build_group(numbers: list[int]) -> Signature[Any]:
    """Return a group: independent tasks that run in parallel."""
    return group(double.s(number) for number in numbers)


def build_chord(number: int, parts: list[int]) -> Signature[Any]:
    """Return a chord: a group, and a callback that receives all results.

    If tasks of the group fail, the error callback runs once, and the callback does not run.
    """
    return chord([share.s(number, count) for count in parts], total.s().on_error(report_failure.s()))


def build_graph(left: int, right: int) -> Signature[Any]:
    """Return a graph: one task, then three tasks in parallel, then a task that receives their results."""
    return chain(add.s(left, right), group(double.s(), share.s(2), share.s(4)), total.s())


def build_chunks(numbers: list[int], size: int) -> Signature[Any]:
    """Return chunks: each message contains several calls, and returns the list of their results."""
    return double.chunks([(number,) for number in numbers], size).group()


class Step(BaseModel):
    """A step of a workflow that is defined by data: a task of `STEPS`, and its arguments after the first.

    The first argument is the result of the previous step, or the initial value.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    task: str
    arguments: list[int] = []


STEPS: dict[str, Task[..., int]] = {"add": add, "double": double, "share": share}
"""The tasks that data may refer to. Data must not start arbitrary tasks."""


def build_from_data(start: int, data: Sequence[object]) -> Signature[Any]:
    """Return a chain of steps such as `{"task": "add", "arguments": [2]}`.

    Raises:
        ValueError: A step is invalid, or there is no step. The message contains the number of the step.
    """
    steps: list[Signature[Any]] = []
    for number, item in enumerate(data, start=1):
        try:
            step = Step.model_validate(item)
        except ValidationError as error:
            detail = error.errors()[0]
            raise ValueError(f"step {number}: {'.'.join(map(str, detail['loc']))}: {detail['msg']}") from None
        if step.task not in STEPS:
            raise ValueError(f"step {number}: unknown task {step.task!r}; available: {', '.join(STEPS)}")
        arguments = step.arguments if steps else [start, *step.arguments]
        try:
            inspect.signature(STEPS[step.task].run).bind(*([0] if steps else []), *arguments)
        except TypeError as error:
            raise ValueError(f"step {number}: {step.task}: {error}") from None
        steps.append(STEPS[step.task].s(*arguments))
    if not steps:
        raise ValueError("a workflow needs at least one step")
    return chain(*steps)
