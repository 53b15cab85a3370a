"""Leases and scheduled messages on a Valkey server that runs during the tests."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from threading import Timer
from typing import Any

import pytest
from celery.exceptions import ImproperlyConfigured
from kombu import Connection, Consumer, Producer, Queue
from kombu.transport import resolve_transport
from kombu.transport.redis import SentinelTransport
from kombu.transport.redis import Transport as KombuTransport
from redis import Redis
from redis.exceptions import ClusterCrossSlotError, OutOfMemoryError, ReadOnlyError

from {{ cookiecutter.project_slug }} import redis_transport, scheduled
from {{ cookiecutter.project_slug }}.celery_app import app

LEASE = 0.4
"""Seconds."""

QUEUE = "{{ plan().default_queue.name }}"

Connect = Callable[..., Any]


@pytest.fixture
def connect(url: str, redis: Redis) -> Iterator[Connect]:
    """Return a function that opens a connection like that of a worker, with a short lease."""
    with ExitStack() as stack:

        def open_connection(transport: Any = "redis", **options: Any) -> Connection:
            options = {**app.conf.broker_transport_options, "lease": LEASE} | options
            return stack.enter_context(Connection(url, transport=transport, transport_options=options))

        yield open_connection


def publish(connection: Any, task_id: str = "1", **headers: Any) -> None:
    """Publish a task message."""
    Producer(connection).publish([], routing_key=QUEUE, headers={"task": "name", "id": task_id, **headers}, retry=False)


def consume(connection: Any, received: list[Any]) -> Consumer:
    """Append consumed messages to a list."""
    consumer = Consumer(connection, [Queue(QUEUE)], on_message=received.append)
    consumer.consume()
    return consumer


def drain(connection: Any, is_done: Callable[[], bool], timeout: float = 10) -> None:
    """Run the main loop until a condition is true."""
    deadline = time.monotonic() + timeout
    while not is_done():
        assert time.monotonic() < deadline
        try:
            connection.drain_events(timeout=0.05)
        except TimeoutError:
            continue


def format_eta(hours: float) -> str:
    """Return an ETA in the format of a message."""
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def test_a_delivered_message_is_recorded_until_it_is_acknowledged(connect: Connect, redis: Redis) -> None:
    received: list[Any] = []
    connection = connect()
    consume(connection, received)
    publish(connection)

    drain(connection, lambda: bool(received))
    assert redis.llen(QUEUE) == 0
    assert redis.hlen("unacked") == redis.zcard("unacked_index") == 1
    received[0].ack()
    assert redis.hlen("unacked") == redis.zcard("unacked_index") == 0


def test_a_message_is_requeued_when_its_lease_has_expired(connect: Connect, redis: Redis) -> None:
    lost, received = list[Any](), list[Any]()
    frozen, other = connect(), connect()
    consume(frozen, lost)
    publish(frozen)
    drain(frozen, lambda: bool(lost))

    # From now on, the main loop of the first connection does not run, so its lease is not renewed.
    consume(other, received)
    drain(other, lambda: bool(received))
    assert received[0].headers["redelivered"]
    assert received[0].headers["lost_workers"] == 1
    received[0].ack()
    assert redis.hlen("unacked") == 0


def test_a_requeued_message_names_the_other_tasks_of_its_lost_workers(connect: Connect) -> None:
    connection = connect()
    publish(connection, "guilty")
    publish(connection, "innocent")
    for other_id in ("third", "fourth"):  # each worker receives the first two tasks and another one
        lost, received = list[Any](), list[Any]()
        frozen, other = connect(), connect()
        publish(connection, other_id)
        consumer = consume(frozen, lost)
        drain(frozen, lambda lost=lost: len(lost) == 3)  # type: ignore[misc]
        consumer.cancel()
        consume(other, received)
        drain(other, lambda received=received: len(received) == 3)  # type: ignore[misc]
        lost_with = {message.headers["id"]: message.headers["lost_with"] for message in received}
        for message in received:
            if message.headers["id"] == "third":
                message.ack()
            else:
                message.requeue()

    assert lost_with["guilty"] == ["name[innocent]"]
    assert lost_with["innocent"] == ["name[guilty]"]
    assert sorted(lost_with["fourth"]) == ["name[guilty]", "name[innocent]"]


def test_a_lease_is_renewed_while_the_main_loop_runs(connect: Connect) -> None:
    received, redelivered = list[Any](), list[Any]()
    busy, other = connect(), connect()
    consume(busy, received)
    publish(busy)
    drain(busy, lambda: bool(received))

    consume(other, redelivered)
    deadline = time.monotonic() + 4 * LEASE
    while time.monotonic() < deadline:
        drain(busy, lambda: True)
        for connection in (busy, other):
            with pytest.raises(TimeoutError):
                connection.drain_events(timeout=0.05)
    assert not redelivered


def test_no_message_is_requeued_within_a_lease_after_an_outage(connect: Connect, redis: Redis) -> None:
    redis.zadd("unacked_index", {"expired": 1})
    properties = {"delivery_tag": "expired", "delivery_info": {"exchange": "", "routing_key": QUEUE}}
    message = {"body": "", "headers": {}, "properties": properties}
    redis.hset("unacked", "expired", json.dumps([message, "", QUEUE]))
    connection = connect(lease=2)
    received: list[Any] = []
    consume(connection, received)
    drain(connection, lambda: connection.transport.lease_thread is not None)
    leases = connection.transport.lease_thread

    for _ in ("connected", "reconnected"):
        leases.last_response = float("-inf")
        drain(
            connection,
            lambda: time.monotonic() - leases.available_since > 1 and leases.last_response > leases.available_since,
        )
        assert not received
    drain(connection, lambda: bool(received))


def test_kombus_transport_requeues_the_messages_of_a_lost_worker(connect: Connect, redis: Redis) -> None:
    lost: list[Any] = []
    frozen = connect()
    consume(frozen, lost)
    publish(frozen)
    drain(frozen, lambda: bool(lost))

    kombu_channel: Any = connect(KombuTransport).default_channel
    kombu_channel.qos.restore_visible(interval=1)
    assert redis.llen(QUEUE) == 0, "the lease has not expired"
    time.sleep(2 * LEASE)
    kombu_channel.qos.restore_visible(interval=1)
    assert redis.llen(QUEUE) == 1


def test_a_scheduled_message_is_moved_to_its_queue_when_it_is_due(connect: Connect, redis: Redis) -> None:
    received: list[Any] = []
    connection = connect()
    consume(connection, received)
    publish(connection, "later", eta=format_eta(1))
    publish(connection, "sooner", eta=format_eta(1.5 / 3600))
    channel = connection.default_channel

    assert channel.count_scheduled(QUEUE) == 2
    drain(connection, lambda: bool(received))
    assert received[0].headers["id"] == "sooner"
    assert datetime.now(UTC) > datetime.fromisoformat(received[0].headers["eta"])
    assert channel.count_scheduled(QUEUE) == 1


def test_a_scheduled_message_can_be_cancelled(connect: Connect) -> None:
    connection = connect()
    for task_id in ("one", "two"):
        publish(connection, task_id, eta=format_eta(1), root_id="one")
    channel = connection.default_channel

    assert channel.cancel(QUEUE, "one") == 1
    assert channel.cancel(QUEUE, "one") == 0
    assert channel.count_scheduled(QUEUE) == 1
    publish(connection)
    assert channel.queue_purge(QUEUE) == 2


def test_the_command_counts_and_cancels_scheduled_tasks(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(app, "connection_for_read", connect)
    monkeypatch.setattr(app, "connection_for_write", connect)
    publish(connect(), "one", eta=format_eta(1))

    scheduled.main([])
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["QUEUE", "SCHEDULED"]
    assert [QUEUE, "1"] in [row.split() for row in rows]
    scheduled.main(["cancel", "one"])
    assert capsys.readouterr().out == "cancelled 1 task\n"
    with pytest.raises(SystemExit, match=r"^not scheduled: one$"):
        scheduled.main(["cancel", "one"])
    assert capsys.readouterr().out == "cancelled 0 tasks\n"
    scheduled.main(["--json"])
    assert json.loads(capsys.readouterr().out)[QUEUE] == 0


def test_a_worker_consumes_from_a_full_server(connect: Connect, redis: Redis) -> None:
    received: list[Any] = []
    publisher = connect()
    publish(publisher)
    publish(publisher)
    publish(publisher, eta=format_eta(1.2 / 3600))
    redis.config_set("maxmemory", 1)

    with pytest.raises(OutOfMemoryError):
        publish(publisher)
    worker = connect()  # a worker can start on a full server
    consume(worker, received)
    drain(worker, lambda: len(received) == 3)
    for message in received[:2]:
        message.ack()
    received[2].reject(requeue=True)
    drain(worker, lambda: len(received) == 4)
    received[3].ack()
    assert not redis.exists("unacked", "unacked_index", QUEUE)


def test_a_task_is_acknowledged_after_its_connection_is_closed(connect: Connect, redis: Redis) -> None:
    received: list[Any] = []
    connection = connect()
    channel = connection.channel()
    consume(channel, received)
    publish(connection)
    drain(connection, lambda: bool(received))
    channel.do_restore = False  # as for a running task

    channel.close()
    received[0].ack()
    assert redis.hlen("unacked") == 0


def test_an_acknowledgement_permits_the_next_message_at_once_without_an_event_loop(connect: Connect) -> None:
    received: list[Any] = []
    connection = connect()
    consume(connection, received).qos(prefetch_count=1)
    publish(connection, "1")
    publish(connection, "2")
    drain(connection, lambda: bool(received))

    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=0.05)
    Timer(0.1, received[0].ack).start()  # as in another greenlet
    connection.drain_events(timeout=30)
    assert [message.headers["id"] for message in received] == ["1", "2"]


def test_unread_replies_expire(connect: Connect, redis: Redis) -> None:
    app_control: Any = app.control
    killed, worker = (app_control.mailbox(connect()) for _ in range(2))
    killed.reply_queue(killed.connection.default_channel).declare()
    producer = Producer(worker.connection.default_channel)
    worker._publish_reply("pong", worker.reply_exchange.name, killed.oid, "1", producer=producer)
    assert 0 < redis.ttl(f"{killed.oid}{redis_transport.REPLIES}") <= redis_transport.REPLY_EXPIRES


def test_a_channel_uses_one_client_until_its_pool_changes(connect: Connect) -> None:
    channel = connect().default_channel
    with channel.conn_or_acquire() as client, channel.conn_or_acquire() as same:
        assert same is client
    channel._after_fork()
    with channel.conn_or_acquire() as child_client:
        assert child_client.connection_pool is channel.pool


def test_keys_may_have_a_prefix(connect: Connect, redis: Redis) -> None:
    received: list[Any] = []
    connection = connect(global_keyprefix="mine:")
    consume(connection, received)
    publish(connection)
    publish(connection, eta=format_eta(1))
    assert connection.default_channel.count_scheduled(QUEUE) == 1
    drain(connection, lambda: bool(received))
    received[0].reject(requeue=True)
    drain(connection, lambda: len(received) == 2)
    keys: Any = redis.keys()
    assert keys
    assert all(key.startswith("mine:") for key in keys)


def test_a_cluster_is_rejected(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def reject(*_: Any) -> None:
        raise ClusterCrossSlotError

    monkeypatch.setattr(redis_transport.Channel, "run", reject)
    with pytest.raises(ImproperlyConfigured, match="is a Redis Cluster"):
        connect().connect()


@pytest.mark.parametrize("scheme", ["redis", "rediss", "sentinel"])
def test_redis_urls_select_this_transport(scheme: str) -> None:
    transport: Any = resolve_transport(scheme)
    assert issubclass(transport, redis_transport.Transport)
    assert issubclass(transport, SentinelTransport) == (scheme == "sentinel")
    assert "lease" in transport.Channel.from_transport_options
    assert ReadOnlyError in transport.connection_errors, "workers reconnect after a failover"
