"""An explicit retry with a limit, a compensating task, and a pydantic model as an argument."""

from typing import Any

import structlog
from celery import Task, shared_task
from pydantic import BaseModel, Field

from {{ cookiecutter.project_slug }}.errors import PermanentError

log = structlog.get_logger(__name__)


class Order(BaseModel):
    """An order. `.delay()` serializes it as JSON, and the worker validates it."""

    id: str = Field(min_length=1)
    cents: int = Field(gt=0)


def get_payment_status(order_id: str) -> str:
    """Simulate a payment provider. The status is the prefix of the order id, as in "paid-17"."""
    return order_id.partition("-")[0]


@shared_task(pydantic=True)
def accept_order(order: Order) -> None:
    """Accept an order, and confirm its payment in another task."""
    log.info("order accepted", order=order.id, cents=order.cents)
    confirm_payment.delay(order.id)


@shared_task(bind=True, max_retries=6)
def confirm_payment(self: Task[Any, Any], order_id: str) -> str:
    """Confirm the payment of an order. Retry while it is pending: after 1, 2, 4, 8, 16 and 32 seconds.

    Raises:
        PermanentError: The payment was refused, or is still pending after the last retry.
    """
    status = get_payment_status(order_id)
    if status == "paid":
        return status
    if status == "pending" and self.request.retries < (self.max_retries or 0):
        # A pending payment is not an error, so there is no exception for `autoretry_for`.
        raise self.retry(countdown=2**self.request.retries)
    # A separate task has separate retries. Publish it before this task fails: if the worker is lost in between, this
    # task is redelivered and publishes it again. In the reverse order, it would not be published.
    cancel_order.delay(order_id)
    raise PermanentError(f"the payment of order {order_id} is {status}")


@shared_task
def cancel_order(order_id: str) -> None:
    """Cancel an order that was not paid. The task is idempotent."""
    log.info("order cancelled", order=order_id)
