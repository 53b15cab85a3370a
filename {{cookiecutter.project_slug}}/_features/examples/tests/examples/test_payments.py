"""Retries of a pending payment, and cancellation of the order."""

from unittest.mock import Mock

import pytest
from pydantic import ValidationError

from {{ cookiecutter.project_slug }}.errors import PermanentError
from {{ cookiecutter.project_slug }}.examples import payments
from {{ cookiecutter.project_slug }}.examples.payments import Order

from ..conftest import WaitForTask


@pytest.fixture
def cancel(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Replace `cancel_order.delay` with a mock."""
    delay = Mock()
    monkeypatch.setattr(payments.cancel_order, "delay", delay)
    return delay


def test_a_paid_order_is_confirmed(cancel: Mock) -> None:
    assert payments.confirm_payment("paid-1") == "paid"
    cancel.assert_not_called()


def test_a_refused_payment_is_not_retried(cancel: Mock) -> None:
    result = payments.confirm_payment.apply(("refused-1",))
    assert (result.state, type(result.result)) == ("FAILURE", PermanentError)
    cancel.assert_called_once_with("refused-1")


def test_a_pending_payment_is_retried_until_it_is_paid(cancel: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    get_status = Mock(side_effect=["pending", "pending", "paid"])
    monkeypatch.setattr(payments, "get_payment_status", get_status)
    assert payments.confirm_payment.apply(("any-1",)).get() == "paid"
    assert get_status.call_count == 3
    cancel.assert_not_called()


def test_an_order_whose_payment_stays_pending_is_cancelled(cancel: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    get_status = Mock(return_value="pending")
    monkeypatch.setattr(payments, "get_payment_status", get_status)
    result = payments.confirm_payment.apply(("any-1",))
    assert (result.state, str(result.result)) == ("FAILURE", "the payment of order any-1 is pending")
    assert get_status.call_count == 1 + 6
    cancel.assert_called_once_with("any-1")


def test_the_worker_validates_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    confirm = Mock()
    monkeypatch.setattr(payments.confirm_payment, "delay", confirm)
    assert payments.accept_order.apply(({"id": "paid-1", "cents": 500},)).state == "SUCCESS"
    confirm.assert_called_once_with("paid-1")
    assert isinstance(payments.accept_order.apply(({"id": "paid-1", "cents": -5},)).result, ValidationError)


@pytest.mark.integration
def test_a_task_accepts_a_pydantic_model(wait_for_task: WaitForTask) -> None:
    assert wait_for_task(payments.accept_order.delay(Order(id="paid-1", cents=500)).id) == "SUCCESS"
    assert wait_for_task(payments.accept_order.apply_async(({"id": "paid-1", "cents": -5},)).id) == "FAILURE"
