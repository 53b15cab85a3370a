"""Retry by the task's own decision, an end to it, and what makes good when it comes; arguments that are models."""

from typing import Any

import structlog
from celery import Task, shared_task
from pydantic import BaseModel, Field

from {{ cookiecutter.project_slug }}.errors import PermanentError

log = structlog.get_logger(__name__)


class Order(BaseModel):
    """What is ordered. `.delay()` takes one, the message carries its JSON, and the worker validates it."""

    id: str = Field(min_length=1)
    cents: int = Field(gt=0)


def state_of_payment(order_id: str) -> str:
    """Stands in for the payment provider: an order's id begins with what it answers, as in "paid-17"."""
    return order_id.partition("-")[0]


@shared_task(pydantic=True)
def take_order(order: Order) -> None:
    """Accept an order, and look after its payment."""
    log.info("order is taken", order=order.id, cents=order.cents)
    confirm_payment.delay(order.id)


@shared_task(bind=True, max_retries=6)
def confirm_payment(self: Task[Any, Any], order_id: str) -> str:
    """Wait until an order is paid: 1, 2, 4 and so on up to 32 seconds, and then no longer.

    Raises:
        PermanentError: it was refused, or is still pending after the last retry.
    """
    state = state_of_payment(order_id)
    if state == "paid":
        return state
    if state == "pending" and self.request.retries < (self.max_retries or 0):
        # Not a failure, so no exception: the task decides.
        raise self.retry(countdown=2**self.request.retries)
    # In a task of its own, with retries of its own. It is sent before this one fails: a worker lost between the
    # two makes this task run again and send it twice, while the other way round nobody would send it.
    cancel_order.delay(order_id)
    raise PermanentError(f"the payment of order {order_id} is {state}")


@shared_task
def cancel_order(order_id: str) -> None:
    """Make good for an order that nobody paid; for one that is cancelled already it changes nothing."""
    log.info("order is cancelled", order=order_id)
