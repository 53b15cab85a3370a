"""A Redis transport with leases, based on kombu's, for broker URLs with redis://, rediss:// and sentinel://.

kombu's transport loses a message that Redis sends to a broken connection, redelivers the tasks of a lost worker only
after the visibility timeout, holds delayed tasks in a worker's memory, and cannot consume from a full Redis. Here:

- A script pops a message and records it as unacknowledged in one step.
- The record has a lease, which a thread of the worker renews. When it expires, another worker requeues the message.
- A task with `countdown` or `eta` is in the sorted set `<queue>.scheduled` until a worker moves it to its queue.
- No command runs in MULTI, in which a full Redis rejects even commands that free memory.

Keys and records are those of kombu, so workers with kombu's transport can use the same database. kombu requeues a
message whose score in `unacked_index` is older than the visibility timeout: a lease expires when its score has this age.
"""

# mypy: disable-error-code="attr-defined, has-type, misc"
# celery-types contains only kombu's public names.

import logging
import threading
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from queue import Empty
from time import monotonic, sleep, time
from typing import Any

from celery.exceptions import ImproperlyConfigured
from kombu.transport import TRANSPORT_ALIASES, virtual
from kombu.transport import redis as kombu_redis
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import dumps, loads
from redis.exceptions import AskError, ClusterCrossSlotError, ClusterDownError, OutOfMemoryError, ReadOnlyError
{% if plan().features.limits %}

from {{ cookiecutter.project_slug }}.limits import REPUBLISHED
{% endif %}

SCHEDULED = ".scheduled"
"""The suffix of the sorted set of scheduled messages of a list."""

WAKE = ".wake"
"""The suffix of a sorted set with at most one member, which notifies an idle worker of a message in the queue."""

REPLIES = ".reply.celery.pidbox"
"""The suffix of a list of replies to a remote control command."""

REPLY_EXPIRES = 60
"""Seconds until unread replies expire. A client reads them within a few seconds, unless it was killed."""

CONSUME_INTERVAL = 0.01
"""Seconds between two checks whether a gevent worker can receive the next message."""

LOST_WORKERS = "lost_workers"
"""The header with the number of workers that were lost with this message unacknowledged; see `base_task.py`."""

LOST_WITH = "lost_with"
"""The header with the other tasks that each of these workers held: one of them may have killed the worker."""

log = logging.getLogger(__name__)

# The first lines of each script.
NOW = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
"""

# A full Redis rejects a command that may need memory, unless its script has already written. Therefore each script
# except PUT and SCHEDULE begins with a write command that needs no memory.

# KEYS: list, wake. ARGV: message.
PUT = """
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[2], 0, 1)
"""

# KEYS: scheduled, wake. ARGV: message, due time.
SCHEDULE = """
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
"""

# The prefix of these two for a retry, which replaces a message that is acknowledged next: a full Redis accepts it.
RETRY = """
redis.call('ZREM', KEYS[2], '')
"""

# KEYS: unacked, unacked_index, then a list and its wake for each queue and priority. ARGV: the offset of the score of a
# new lease from the current time. Returns the index of the list, the message, and whether it is recorded.
POP = """
for i = 3, #KEYS, 2 do
  local message = redis.call('RPOP', KEYS[i])
  if message then
    local recorded, tag, exchange, routing_key = pcall(function()
      local properties = cjson.decode(message).properties
      local info = properties.delivery_info
      return properties.delivery_tag, cjson.encode(info.exchange), cjson.encode(info.routing_key)
    end)
    recorded = recorded and tag
    if recorded then
      redis.call('HSET', KEYS[1], tag, '[' .. message .. ', ' .. exchange .. ', ' .. routing_key .. ']')
      redis.call('ZADD', KEYS[2], now + ARGV[1], tag)
    end
    if redis.call('LLEN', KEYS[i]) > 0 then redis.call('ZADD', KEYS[i + 1], 0, 1) end
    return {(i - 3) / 2, message, recorded and 1 or 0}
  end
end
"""

# KEYS: unacked, unacked_index, then each list and its wake. ARGV: tag, message, RPUSH or LPUSH, visibility timeout. If
# the timeout is not empty, the message is requeued only if its lease has expired.
REQUEUE = """
local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
if ARGV[4] ~= '' and not (score and score + 0 < now - ARGV[4]) then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
for i = 3, #KEYS, 2 do
  redis.call(ARGV[3], KEYS[i], ARGV[2])
  redis.call('ZADD', KEYS[i + 1], 0, 1)
end
return 1
"""

# Renews leases, moves due messages to their queues, and returns the tags of expired leases. KEYS: unacked_index, then a
# list, its scheduled and its wake for each queue and priority. ARGV: offset as for POP, visibility timeout, then tags.
MAINTAIN = """
redis.call('ZREM', KEYS[1], '')
for i = 3, #ARGV do redis.call('ZADD', KEYS[1], 'XX', now + ARGV[1], ARGV[i]) end
for i = 2, #KEYS, 3 do
  local due = redis.call('ZRANGEBYSCORE', KEYS[i + 1], '-inf', now, 'LIMIT', 0, 1000)
  for _, message in ipairs(due) do
    redis.call('ZREM', KEYS[i + 1], message)
    redis.call('LPUSH', KEYS[i], message)
  end
  if #due > 0 then redis.call('ZADD', KEYS[i + 2], 0, 1) end
end
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2], 'LIMIT', 0, 100)
"""


def is_stopping() -> bool:
    """Return whether this process is a worker that is shutting down."""
    from celery.worker import state  # imported here, since only a worker needs it

    # Each is None, False, True or an exit status, which may be 0.
    return any(flag is not None and flag is not False for flag in (state.should_stop, state.should_terminate))


def get_running_tags() -> set[str]:
    """Return the delivery tags of the running tasks of this worker."""
    from celery.worker import state

    while True:
        try:
            return {request.message.delivery_tag for request in tuple(state.active_requests)}
        except RuntimeError:  # the main thread changed the set during the iteration
            continue


class Client(kombu_redis.PrefixedStrictRedis):
    """A client without transactions."""

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Any:
        """Return a pipeline that does not use MULTI."""
        return super().pipeline(transaction=False, shard_hint=shard_hint)


class QoS(kombu_redis.QoS):
    """The unacknowledged messages of a channel."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Add a message, and record it in Redis unless POP has recorded it."""
        if self.channel.is_recorded:
            virtual.QoS.append(self, message, delivery_tag)
        else:
            super().append(message, delivery_tag)

    def restore_visible(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the lease thread requeues the messages of lost workers."""

    def restore_by_tag(self, tag: str, client: Any = None, leftmost: bool = False) -> None:
        """Requeue an unacknowledged message of this channel."""
        self.requeue(tag, leftmost)

    def find_lost_tasks(self) -> dict[str, str]:
        """Return the tasks of lost workers by tag: their leases have expired, or expire within a quarter of a lease."""
        channel = self.channel
        with channel.conn_or_acquire() as client:
            seconds, microseconds = client.time()
            latest = seconds + microseconds / 1e6 - channel.visibility_timeout + channel.lease / 4
            tags = client.zrangebyscore(self.unacked_index_key, "-inf", latest, start=0, num=100)
            records = client.hmget(self.unacked_key, tags) if tags else []
        lost = {}
        for tag, record in zip(tags, records, strict=True):
            headers = loads(bytes_to_str(record))[0]["headers"] if record else {}
            lost[bytes_to_str(tag)] = f"{headers.get('task')}[{headers.get('id')}]"
        return lost

    def requeue(self, tag: str, leftmost: bool = False, expired: bool = False, lost: Iterable[str] = ()) -> bool:
        """Requeue a message; with `expired`, only if its lease has expired. Return whether it was requeued.

        `lost` contains the other unacknowledged tasks of the lost worker.
        """
        channel = self.channel
        with channel.conn_or_acquire() as client:
            record = client.hget(self.unacked_key, tag)
            if record is None:
                client.zrem(self.unacked_index_key, tag)
                return False
        message, exchange, routing_key = loads(bytes_to_str(record))
        message["headers"]["redelivered"] = True
        if expired:
            headers = message["headers"]
            previous = headers.get(LOST_WITH, []) if headers.get(LOST_WORKERS) else lost
            headers[LOST_WITH] = [task for task in lost if task in previous]
            headers[LOST_WORKERS] = headers.get(LOST_WORKERS, 0) + 1
        message["properties"]["delivery_info"]["redelivered"] = True
        priority = channel._get_message_priority(message, reverse=False)
        keys = [self.unacked_key, self.unacked_index_key]
        for queue in channel._lookup(exchange, routing_key) or [routing_key]:
            keys += [channel._q_for_pri(queue, priority), queue + WAKE]
        push, timeout = "LPUSH" if leftmost else "RPUSH", channel.visibility_timeout if expired else ""
        return bool(channel.run(REQUEUE, keys, tag, dumps(message), push, timeout))

    def restore_unacked(self, client: Any = None) -> None:
        """Requeue all messages except those of running tasks, which keep their leases after a connection loss."""
        running = set() if is_stopping() else get_running_tags()
        self._flush()
        delivered: Any = self._delivered
        for tag in list(delivered):
            if tag not in running:
                self.requeue(tag)
        delivered.clear()


class Poller(kombu_redis.MultiChannelPoller):
    """A poller that records the time of the last iteration of the main loop."""

    last_iteration = float("-inf")

    def on_poll_start(self) -> None:
        """Run at each iteration of the main loop."""
        self.last_iteration = monotonic()
        super().on_poll_start()


class LeaseThread(threading.Thread):
    """A thread that renews this worker's leases, moves due messages to queues, and requeues messages of lost workers.

    The main loop cannot do this: during a shutdown it does not run while the last tasks run.
    """

    def __init__(self, poller: Poller, lease: float) -> None:
        super().__init__(name="leases", daemon=True)
        self.poller = poller
        self.lease = lease
        self.closed = threading.Event()
        self.last_response = self.available_since = float("-inf")

    def run(self) -> None:
        """Maintain the leases once a second until the connection is closed."""
        while not self.closed.wait(min(1, self.lease / 4)):
            try:
                self.maintain()
            except Exception as error:
                if not self.closed.is_set():
                    log.warning("leases not renewed: %r", error)

    def maintain(self) -> None:
        """Renew leases, and move and requeue messages, unless the main loop hangs: such a worker loses its leases."""
        channels = list(self.poller._channels)
        if not channels or (not is_stopping() and monotonic() - self.poller.last_iteration > self.lease):
            return
        tags = get_running_tags().union(*(list(channel._qos._delivered) for channel in channels if channel._qos))
        expired = channels[0].maintain(tags, [queue for channel in channels for queue in channel.active_queues])
        now = monotonic()
        # After an outage of Redis all leases have expired, and the other workers need time to renew theirs.
        if now - self.last_response > self.lease / 2:
            self.available_since = now
        self.last_response = now
        if now - self.available_since > self.lease:
            lost = channels[0].qos.find_lost_tasks() if expired else {}
            for tag in map(bytes_to_str, expired):
                others = [task for other, task in lost.items() if other != tag]
                if channels[0].qos.requeue(tag, expired=True, lost=others):
                    log.warning("message of a lost worker requeued: %s", tag)


class Channel(kombu_redis.Channel):
    """A channel that pops messages by a script, and whose pipelines do not use MULTI."""

    QoS = QoS
    lease = 30
    from_transport_options = (*kombu_redis.Channel.from_transport_options, "lease")
    supports_batch_publish = False  # each message is published by PUT

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.no_ack_queues: set[str] = set()
        self.is_recorded = False  # whether POP has recorded the message that is being delivered
        self.is_idle = False  # whether the last POP returned no message
        self.pool_client: Any = None  # the client that uses the pool
        self.pop_queues: list[str] | None = None  # the queues of the pending POP; [] if BZPOPMIN is pending
        super().__init__(*args, **kwargs)

    def _get_client(self) -> Any:
        return partial(Client, global_keyprefix=self.global_keyprefix)

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous)
        # kombu creates a client for each command, which takes a fifth of the time of a publish.
        if self.pool_client is None or self.pool_client.connection_pool is not self.pool:
            self.pool_client = super()._create_client()
        return self.pool_client

    def close(self) -> None:
        """Close the channel, but keep its pool: a running task acknowledges its message after a connection loss."""
        pool = self._pool
        super().close()
        self._pool = pool

    def _queue_bind(self, *args: Any) -> None:
        try:
            super()._queue_bind(*args)
        except OutOfMemoryError:
            # A worker must be able to start on a full Redis. Tasks are published to their queue without a binding.
            log.warning("queue binding not stored: Redis is full")

    def maybe_refresh_binding_expiry(self) -> None:
        """Refresh the expiry of bindings. If Redis is full, do it later."""
        with suppress(OutOfMemoryError):  # kombu would log a traceback
            super().maybe_refresh_binding_expiry()

    def run(self, script: str, keys: list[str], *args: Any) -> Any:
        """Run a script."""
        with self.conn_or_acquire() as client:
            return client.eval(NOW + script, len(keys), *map(self.add_prefix, keys), *args)

    def add_prefix(self, key: str) -> str:
        """Return a key with the configured prefix of all keys."""
        return f"{self.global_keyprefix}{key}"

    def list_ready_keys(self, queue: str) -> list[str]:
        """Return the keys of the lists of ready messages of a queue, one for each priority."""
        return [self._q_for_pri(queue, priority) for priority in self.priority_steps]

    def maintain(self, tags: set[str], queues: list[str]) -> list[bytes]:
        """Renew leases, and move due messages to these queues; return the tags of expired leases."""
        keys = [self.unacked_index_key]
        for queue in queues:
            for key in self.list_ready_keys(queue):
                keys += [key, key + SCHEDULED, queue + WAKE]
        expired: list[bytes] = self.run(MAINTAIN, keys, self._lease_offset, self.visibility_timeout, *tags)
        return expired

    @property
    def _lease_offset(self) -> float:
        return self.lease - self.visibility_timeout

    # --- consume

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **kwargs: Any) -> Any:
        """Consume from a queue. Without acknowledgements, messages need no lease."""
        if no_ack:
            self.no_ack_queues.add(queue)
        return super().basic_consume(queue, no_ack, *args, **kwargs)

    def _basic_cancel(self, consumer_tag: str) -> Any:
        self.no_ack_queues.discard(self._tag_to_queue.get(consumer_tag, ""))
        return super()._basic_cancel(consumer_tag)

    def _brpop_start(self, timeout: float | None = None) -> Any:
        self.pop_queues = None
        if not self.no_ack_queues.isdisjoint(self.active_queues):
            return super()._brpop_start(timeout)
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues:
            return None
        self.connection.start_lease_thread(self.lease)
        if self.is_idle:
            self.pop_queues = []
            keys = [queue + WAKE for queue in queues]
            command = ["BZPOPMIN", *map(self.add_prefix, keys), timeout or self.brpop_timeout or 0]
        else:
            lists = [(queue, self._q_for_pri(queue, priority)) for priority in self.priority_steps for queue in queues]
            self.pop_queues = [queue for queue, _ in lists]
            keys = [self.unacked_key, self.unacked_index_key]
            for queue, key in lists:
                keys += [key, queue + WAKE]
            command = ["EVAL", NOW + POP, len(keys), *map(self.add_prefix, keys), self._lease_offset]
        self._in_poll = self.client.connection
        self._brpop_sent_at = monotonic()
        self.client.connection.send_command(*command)
        return None

    def _brpop_read(self, **options: Any) -> Any:
        if self.pop_queues is None:
            return super()._brpop_read(**options)
        connection = self.client.connection
        try:
            try:
                reply = self.client.parse_response(connection, "EVAL", **options)
            except self.connection_errors:
                connection.disconnect()
                raise
            except self.ResponseError as error:
                if not str(error).startswith("UNBLOCKED"):
                    raise
                reply = None  # the server became a replica meanwhile: the next POP fails
            self.is_idle = bool(self.pop_queues) and not reply
            if not (self.pop_queues and reply):
                raise Empty
            index, message, recorded = reply
            queue = self.pop_queues[index]
            self._queue_cycle.rotate(queue)
            self.is_recorded = bool(recorded)
            try:
                self.connection._deliver(loads(bytes_to_str(message)), queue)
            finally:
                self.is_recorded = False
            return True
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()

    # --- publish

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        headers = message.get("headers") or {}
        key = self._q_for_pri(queue, self._get_message_priority(message, reverse=False))
        if "task" not in headers:
            super()._put(queue, message, **kwargs)  # for example a reply, which kombu consumes
            if queue.endswith(REPLIES):
                with self.conn_or_acquire() as client:
                    client.expire(key, REPLY_EXPIRES)
            return
        due = datetime.fromisoformat(headers["eta"]) if headers.get("eta") else None
        score = (due if due.tzinfo else due.replace(tzinfo=UTC)).timestamp() if due else 0
{% if plan().features.limits %}
        retry = RETRY if headers.get("retries") or headers.get(REPUBLISHED) else ""
{% else %}
        retry = RETRY if headers.get("retries") else ""
{% endif %}
        if score > time() + 1:  # within a second, the worker itself delays the task
            self.run(retry + SCHEDULE, [key + SCHEDULED, queue + WAKE], dumps(message), score)
        else:
            self.run(retry + PUT, [key, queue + WAKE], dumps(message))

    # --- scheduled messages

    def count_scheduled(self, queue: str, due_before: float = float("inf")) -> int:
        """Return the number of scheduled messages of a queue."""
        with self.conn_or_acquire() as client:
            keys = [self.add_prefix(key + SCHEDULED) for key in self.list_ready_keys(queue)]
            return sum(client.zcount(key, "-inf", due_before) for key in keys)

    def cancel(self, queue: str, task_id: str) -> int:
        """Delete the scheduled messages of a task; return their number."""
        with self.conn_or_acquire() as client:
            count = 0
            for key in self.list_ready_keys(queue):
                found = client.zscan_iter(self.add_prefix(key + SCHEDULED), match=f'*"id": "{task_id}"*', count=1000)
                count += sum(client.zrem(key + SCHEDULED, message) for message, _ in found)
            return count

    def _purge(self, queue: str) -> Any:
        count = self.count_scheduled(queue)
        with self.conn_or_acquire() as client:
            client.delete(*(key + SCHEDULED for key in self.list_ready_keys(queue)))
        return super()._purge(queue) + count


class Transport(kombu_redis.Transport):
    """The transport. Its lease thread starts when a channel starts to consume."""

    Channel = Channel
    connection_errors = (*kombu_redis.Transport.connection_errors, ReadOnlyError)  # reconnect after a failover
    lease_thread: LeaseThread | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cycle: Any = Poller()

    def establish_connection(self) -> Any:
        """Connect.

        Raises:
            ImproperlyConfigured: The server is part of a Redis Cluster.
        """
        connection = super().establish_connection()
        channel = self._avail_channels[-1]
        try:
            channel.run("return 1", ["_kombu.none.a", "_kombu.none.b"])  # keys that all users may access
        except (AskError, ClusterCrossSlotError, ClusterDownError):
            raise ImproperlyConfigured(
                "The broker is a Redis Cluster, in which a script cannot use several queues: use a single Redis,"
                " with replicas and Sentinel for high availability."
            ) from None
        return connection

    def drain_events(self, connection: Any, timeout: float | None = None, **options: Any) -> None:
        """Deliver a message. Only called without an event loop, as in gevent workers.

        At the prefetch limit, kombu waits for the whole timeout, because it does not notice acknowledgements.

        Raises:
            TimeoutError: No message was received within the timeout, in seconds.
        """
        consuming = [channel for channel in connection.channels if channel.active_queues]
        started = monotonic()
        while consuming and not any(channel.qos.can_consume() for channel in consuming):
            if timeout is not None and monotonic() - started >= timeout:
                raise TimeoutError
            sleep(CONSUME_INTERVAL)
        super().drain_events(connection, timeout=timeout, **options)

    def start_lease_thread(self, lease: float) -> None:
        """Start the lease thread if it is not running."""
        if self.lease_thread is None:
            self.lease_thread = LeaseThread(self.cycle, lease)
            self.lease_thread.start()

    def close_connection(self, connection: Any) -> None:
        """Stop the lease thread and close the channels."""
        if self.lease_thread:
            self.lease_thread.closed.set()
            self.lease_thread = None
        super().close_connection(connection)


class SentinelChannel(Channel, kombu_redis.SentinelChannel):
    """A channel to the master that Sentinel names."""

    from_transport_options = (*kombu_redis.SentinelChannel.from_transport_options, "lease")


class SentinelTransport(Transport, kombu_redis.SentinelTransport):
    """The transport to the master that Sentinel names."""

    Channel = SentinelChannel


TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = f"{__name__}:Transport"
TRANSPORT_ALIASES["sentinel"] = f"{__name__}:SentinelTransport"
