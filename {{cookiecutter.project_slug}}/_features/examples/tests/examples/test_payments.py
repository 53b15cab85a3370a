"""The task decides when to ask again, when to give up, and what makes good."""

from unittest.mock import Mock

import pytest
from pydantic import ValidationError

from {{ cookiecutter.project_slug }}.errors import PermanentError
from {{ cookiecutter.project_slug }}.examples import payments
from {{ cookiecutter.project_slug }}.examples.payments import Order

from ..conftest import Ran


@pytest.fixture
def cancelled(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Takes the place of what makes good."""
    send = Mock()
    monkeypatch.setattr(payments.cancel_order, "delay", send)
    return send


def test_a_paid_order_is_confirmed(cancelled: Mock) -> None:
    assert payments.confirm_payment("paid-1") == "paid"
    cancelled.assert_not_called()


def test_a_refused_payment_is_final_at_once(cancelled: Mock) -> None:
    result = payments.confirm_payment.apply(("refused-1",))
    assert (result.state, type(result.result)) == ("FAILURE", PermanentError)
    cancelled.assert_called_once_with("refused-1")


def test_a_payment_that_becomes_paid_is_confirmed(cancelled: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = Mock(side_effect=["pending", "pending", "paid"])
    monkeypatch.setattr(payments, "state_of_payment", ask)
    assert payments.confirm_payment.apply(("any-1",)).get() == "paid"
    assert ask.call_count == 3
    cancelled.assert_not_called()


def test_a_payment_that_stays_pending_is_given_up_and_made_good(
    cancelled: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Mock(return_value="pending")
    monkeypatch.setattr(payments, "state_of_payment", ask)
    result = payments.confirm_payment.apply(("any-1",))
    assert (result.state, str(result.result)) == ("FAILURE", "the payment of order any-1 is pending")
    assert ask.call_count == 1 + 6
    cancelled.assert_called_once_with("any-1")


def test_an_order_is_validated_where_the_task_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    look_after = Mock()
    monkeypatch.setattr(payments.confirm_payment, "delay", look_after)
    assert payments.take_order.apply(({"id": "paid-1", "cents": 500},)).state == "SUCCESS"
    look_after.assert_called_once_with("paid-1")
    assert isinstance(payments.take_order.apply(({"id": "paid-1", "cents": -5},)).result, ValidationError)


@pytest.mark.integration
def test_an_order_travels_as_a_model(outcome: Ran) -> None:
    assert outcome(payments.take_order.delay(Order(id="paid-1", cents=500)).id) == "SUCCESS"
    assert outcome(payments.take_order.apply_async(({"id": "paid-1", "cents": -5},)).id) == "FAILURE"
