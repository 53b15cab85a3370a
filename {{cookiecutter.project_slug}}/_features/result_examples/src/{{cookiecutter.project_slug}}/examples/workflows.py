"""Tasks put together: one after the other, side by side, with a task at the end, and from data.

The parts keep their results, since the next part takes them. A part that fails for good ends its workflow:
what comes after it does not run, and who waits for the result gets the exception.
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
    """The sum of two numbers."""
    return left + right


@shared_task(ignore_result=False)
def double(number: int) -> int:
    """Twice a number."""
    return 2 * number


@shared_task(ignore_result=False)
def share(number: int, parts: int) -> int:
    """A whole part of a number; of no parts there is none."""
    return number // parts


@shared_task(ignore_result=False)
def total(numbers: list[int]) -> int:
    """The sum of many numbers."""
    return sum(numbers)


@shared_task
def report_failure(request: Context, error: BaseException, traceback: object) -> None:
    """What a workflow calls when it fails: Celery passes these three to an error callback, on the worker."""
    log.error("workflow failed", part=request.id, error=repr(error))


def one_after_the_other(left: int, right: int) -> Signature[Any]:
    """A chain: each task takes the result of the one before."""
    return chain(add.s(left, right), double.s())


def side_by_side(numbers: list[int]) -> Signature[Any]:
    """A group: tasks that do not depend on each other."""
    return group(double.s(number) for number in numbers)


def side_by_side_then_total(number: int, parts: list[int]) -> Signature[Any]:
    """A chord: a group, and a task that takes all its results when the last has come.

    If a part fails, the error callback runs in place of that task, once, however many parts failed.
    """
    return chord([share.s(number, each) for each in parts], total.s().on_error(report_failure.s()))


def fan_out_and_join(left: int, right: int) -> Signature[Any]:
    """A graph: one task, then three side by side that take its result, then one that takes all of theirs."""
    return chain(add.s(left, right), group(double.s(), share.s(2), share.s(4)), total.s())


def in_chunks(numbers: list[int], size: int) -> Signature[Any]:
    """Many small tasks in few messages: each chunk runs in one task, whose result is the list of theirs."""
    return double.chunks([(number,) for number in numbers], size).group()


class Step(BaseModel):
    """A step of a workflow that comes as data: a task of `STEPS`, and its arguments but for the first.

    The first is the result of the step before; for the first step it is what the workflow begins with.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    task: str
    arguments: list[int] = []


STEPS: dict[str, Task[..., int]] = {"add": add, "double": double, "share": share}
"""What a workflow from data may run. Whoever writes the data must not choose among all tasks there are."""


def from_data(start: int, data: Sequence[object]) -> Signature[Any]:
    """A chain of these steps, each like `{"task": "add", "arguments": [2]}`.

    Raises:
        ValueError: a step is wrong, or there is none; nothing has been sent. The message names the step.
    """
    steps: list[Signature[Any]] = []
    for number, item in enumerate(data, start=1):
        try:
            step = Step.model_validate(item)
        except ValidationError as error:
            mistake = error.errors()[0]
            raise ValueError(f"step {number}: {'.'.join(map(str, mistake['loc']))}: {mistake['msg']}") from None
        if step.task not in STEPS:
            raise ValueError(f"step {number}: no task is called {step.task!r}; there are {', '.join(STEPS)}")
        arguments = step.arguments if steps else [start, *step.arguments]
        try:
            inspect.signature(STEPS[step.task].run).bind(*([0] if steps else []), *arguments)
        except TypeError as error:
            raise ValueError(f"step {number}: {step.task}: {error}") from None
        steps.append(STEPS[step.task].s(*arguments))
    if not steps:
        raise ValueError("a workflow has at least one step")
    return chain(*steps)
