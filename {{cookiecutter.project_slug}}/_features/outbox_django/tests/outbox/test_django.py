"""The outbox in Django: its transactions, its admin and the command of the relay."""

from unittest.mock import Mock

import pytest
from django.core.management import call_command
from django.db import OperationalError, transaction
from django.test import Client
from django.urls import reverse

from {{ cookiecutter.project_slug }}.outbox import relay, store
from {{ cookiecutter.project_slug }}.outbox.models import OutboxMessage

from .test_outbox import greet


@pytest.mark.django_db(transaction=True)
def test_a_rollback_stores_no_task() -> None:
    with transaction.atomic():
        greet.delay_in_transaction("hello")
        transaction.set_rollback(True)
    assert not OutboxMessage.objects.exists()


@pytest.mark.django_db
def test_the_admin_lists_messages_and_deletes_them(admin_client: Client) -> None:
    result = greet.delay_in_transaction("hello")
    page = admin_client.get(reverse("admin:outbox_outboxmessage_changelist"))
    assert result.id in page.content.decode()
    assert admin_client.get(reverse("admin:outbox_outboxmessage_add")).status_code == 403
    pk = OutboxMessage.objects.get().pk
    admin_client.post(reverse("admin:outbox_outboxmessage_change", args=[pk]), {"task": "another.task"})
    assert OutboxMessage.objects.get().task == greet.name
    admin_client.post(reverse("admin:outbox_outboxmessage_delete", args=[pk]), {"post": "yes"})
    assert not OutboxMessage.objects.exists()


def test_the_relay_reconnects_after_a_database_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "process_next", Mock(side_effect=OperationalError("connection refused")))
    monkeypatch.setattr(relay, "close_old_connections", closed := Mock())
    assert not relay.Relay().step()
    closed.assert_called_once_with()


def test_the_command_runs_the_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay.Relay, "run", run := Mock())
    call_command("relay_outbox")
    run.assert_called_once_with()
