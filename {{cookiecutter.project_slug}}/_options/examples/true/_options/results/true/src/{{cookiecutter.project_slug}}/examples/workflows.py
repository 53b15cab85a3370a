"""Tasks put together: one after the other, side by side, and side by side with a task at the end.

The parts keep their results, since the next part takes them.
"""

from typing import Any

from celery import Signature, chain, chord, group, shared_task


@shared_task(ignore_result=False)
def add(left: int, right: int) -> int:
    """The sum of two numbers."""
    return left + right


@shared_task(ignore_result=False)
def double(number: int) -> int:
    """Twice a number."""
    return 2 * number


@shared_task(ignore_result=False)
def total(numbers: list[int]) -> int:
    """The sum of many numbers."""
    return sum(numbers)


def one_after_the_other(left: int, right: int) -> Signature[Any]:
    """A chain: each task takes the result of the one before."""
    return chain(add.s(left, right), double.s())


def side_by_side(numbers: list[int]) -> Signature[Any]:
    """A group: tasks that do not depend on each other."""
    return group(double.s(number) for number in numbers)


def side_by_side_then_total(numbers: list[int]) -> Signature[Any]:
    """A chord: a group, and a task that takes all its results when the last has come."""
    return chord([double.s(number) for number in numbers], total.s())
