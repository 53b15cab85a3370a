"""Limits and unique tasks, on a Valkey server that runs during the tests."""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
{% if plan().features.results %}
from celery import chain, chord, group
{% else %}
from celery import chain, group
{% endif %}
{% if plan().features.redis_results %}
from celery.backends.redis import RedisBackend
{% endif %}
from celery.exceptions import Reject
{% if not plan().features.redis_results %}
from kombu import Connection
{% endif %}
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

{% if plan().features.http_api and plan().features.monitoring %}
from {{ cookiecutter.project_slug }} import base_task, limits, metrics, submissions
{% elif plan().features.http_api %}
from {{ cookiecutter.project_slug }} import base_task, limits, submissions
{% elif plan().features.monitoring %}
from {{ cookiecutter.project_slug }} import base_task, limits, metrics
{% elif not plan().features.monitoring %}
from {{ cookiecutter.project_slug }} import base_task, limits
{% endif %}
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.errors import PermanentError
from {{ cookiecutter.project_slug }}.limits import LimitExceeded, limit_concurrency, limit_rate, unique
from {{ cookiecutter.project_slug }}.settings import env
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping

NAME = "{{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }}."
runs: list[int] = []


@app.task(bind=True, name=NAME + "limited", shared=False)
@limit_rate(3, per=60, key="{customer}")
@limit_concurrency(2, key="{customer}")
def limited(self: Any, customer: int, fails: bool = False) -> int:
    """Run, or raise an error."""
    runs.append(customer)
    if fails:
        raise PermanentError("no such customer")
    return customer


@app.task(name=NAME + "single", shared=False)
@limit_concurrency(1, key=lambda customer: customer % 10, expires=0.3)
def single(customer: int) -> None:
    """Run one at a time."""
    runs.append(customer)


@app.task(name=NAME + "generate", shared=False)
@unique(within=60, key="{report}")
def generate(report: int, comment: str = "") -> None:
    """Generate a report."""
    runs.append(report)


@pytest.fixture(autouse=True)
def client(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Redis:
    """The client of the empty server, which the limits use."""
    monkeypatch.setattr(limits, "connect", lambda task: nullcontext(redis))
    monkeypatch.setattr(limits, "MIN_DELAY", 0.1)
    runs.clear()
    return redis


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """The mock that replaces publishing to the broker."""
    send = Mock()
    monkeypatch.setattr(app.amqp, "send_task_message", send)
    return send


def start(task: Any, *args: Any, task_id: str = "", **request: Any) -> float:
    """Acquire the limits of a task as a worker does at the start of a run. Return 0, or the seconds to wait."""
    task.push_request(id=task_id or uuid4().hex, called_directly=False, **request)
    return limits.acquire(task, args, {})


def end(task: Any) -> None:
    """Release the slots of the last run as a worker does at its end."""
    limits.release_slots(task, task.request.id)
    task.pop_request()


@pytest.fixture(autouse=True)
def requests() -> Iterator[None]:
    """Forget the runs after each test."""
    yield
    for task in (limited, single):
        while task.request_stack.top:
            task.pop_request()


def test_a_slot_is_free_when_its_run_has_ended(client: Redis) -> None:
    assert start(limited, 1) == 0
    assert start(limited, 1) == 0
    assert start(limited, 2) == 0, "another key"
    end(limited)
    assert start(limited, 1) > 0
    end(limited)
    end(limited)
    assert start(limited, 1) == 0


def test_a_redelivered_task_takes_its_slot_again() -> None:
    assert start(limited, 1, task_id="a") == start(limited, 1, task_id="b") == 0
    assert start(limited, 1, task_id="b") == 0
    assert start(limited, 1, task_id="c") > 0


def test_the_end_of_a_run_does_not_release_the_slot_of_its_retry() -> None:
    task: Any = single
    start(task, 1, task_id="a")
    first = dict(task.request.slots)
    time.sleep(0.01)
    start(single, 1, task_id="a")
    limits.release(single, "a", first)
    assert start(single, 1) > 0


def test_the_slot_of_a_lost_worker_expires(client: Redis) -> None:
    assert start(single, 1) == 0
    assert start(single, 11) > 0, "the same key"
    time.sleep(0.35)
    assert start(single, 11) == 0


@pytest.mark.parametrize(("time_limit", "expires"), [(None, {{ plan().limits.task_time_limit }} + 10), (7, 17)])
def test_a_slot_expires_after_the_hard_time_limit(client: Redis, time_limit: int | None, expires: int) -> None:
    start(limited, 1, timelimit=[time_limit, None])
    slots: Any = client.zrange(f"{limits.PREFIX}concurrency:{limited.name}:1", 0, -1, withscores=True)
    assert slots[0][1] - time.time() == pytest.approx(expires, abs=1)


def test_waiting_tasks_return_one_after_another() -> None:
    start(single, 1)
    delays = [start(single, 1) for _ in range(3)]
    assert delays == sorted(delays)
    assert delays[0] < delays[-1] < 1


def test_a_task_whose_process_was_killed_releases_its_slot(client: Redis) -> None:
    assert start(single, 1, task_id="a") == 0
    single.pop_request()  # in the main process
    limits.release_slots_of_lost_process(single, "a", (1,), {})
    assert start(single, 1) == 0


def test_a_rate_reserves_the_next_starts(client: Redis) -> None:
    task = Mock(request=Mock(id="x"))
    rate = limits.Rate("", "", 2, 10)

    def count(task_id: str) -> float:
        task.request.id = task_id
        return round(rate.acquire(client, "rate", task, uuid4().hex))

    assert [count(task_id) for task_id in "abcdefg"] == [0, 0, 10, 10, 20, 20, 30]
    assert count("c") == 30, "its reservation is not due, so it makes another"


def test_a_rate_is_not_exceeded_by_late_tasks(client: Redis) -> None:
    """Tasks return after their reserved time: their starts count at the actual time."""
    task, rate = Mock(), limits.Rate("", "", 2, 0.5)
    allowed: list[float] = []
    waiting = dict.fromkeys("abcdefgh", 0.0)
    deadline = time.monotonic() + 10
    while waiting and time.monotonic() < deadline:
        for task_id, due in list(waiting.items()):
            if time.monotonic() < due:
                continue
            task.request.id = task_id
            if wait := rate.acquire(client, "rate", task, uuid4().hex):
                waiting[task_id] = time.monotonic() + wait + (0.4 if task_id in "cd" else 0)
            else:
                allowed.append(time.monotonic())
                del waiting[task_id]
        time.sleep(0.005)

    assert len(allowed) == 8
    assert min(later - earlier for earlier, later in zip(allowed, allowed[2:], strict=False)) > 0.49


def test_a_limit_that_refuses_a_task_does_not_use_the_others(client: Redis) -> None:
    start(limited, 1)
    assert start(limited, 1) == 0
    assert start(limited, 1) > 0, "the concurrency limit"
    for _ in range(3):
        end(limited)
    assert start(limited, 1) == 0
    end(limited)
    assert start(limited, 1) > 0, "the rate limit"

    assert client.zcard(f"{limits.PREFIX}concurrency:{limited.name}:1") == 0
    assert client.zcard(f"{limits.PREFIX}rate:{limited.name}:1:3/60") == 3


@pytest.mark.integration
@pytest.mark.parametrize("fails", [False, True])
def test_a_run_releases_its_slot(client: Redis, wait_for_task: Callable[[str], str], fails: bool) -> None:
    assert wait_for_task(limited.delay(1, fails=fails).id) == ("FAILURE" if fails else "SUCCESS")
    assert client.zcard(f"{limits.PREFIX}concurrency:{limited.name}:1") == 0


@pytest.mark.integration
def test_a_limited_task_waits_and_runs(client: Redis, wait_for_task: Callable[[str], str]) -> None:
    start(single, 1)  # for 0.3 s
    task_id = single.delay(1).id
    states = [wait_for_task(task_id)]
    assert not runs
    while states[-1] == "IGNORED":
        states.append(wait_for_task(task_id))
    assert states[-1] == "SUCCESS"
    assert runs == [1]


{% if plan().features.results %}
@pytest.mark.integration
def test_a_chord_waits_for_its_limited_tasks(wait_for_task: Callable[[str], str]) -> None:
    start(single, 1)  # for 0.3 s
    body = chord([single.si(1), single.si(2)], ping.si()).delay()
    assert wait_for_task(body.id) == "SUCCESS"
    assert sorted(runs) == [1, 2]


{% endif %}
def run_in_worker(task: Any, *args: Any, **request: Any) -> None:
    """Start a run as in a worker, and raise the exception that ends it."""
    task.push_request(id="1", args=args, kwargs={}, called_directly=False, **request)
    try:
        task.before_start("1", args, {})
    finally:
        task.pop_request()


def test_a_limited_task_is_published_again_unchanged(publish: Mock) -> None:
    start(single, 1)
    expires = "2030-01-01T00:00:00+00:00"
    with pytest.raises(LimitExceeded):
        run_in_worker(single, 1, retries=2, expires=expires, headers={"request_id": "r"}, group="g", root_id="root")
    message, own = publish.call_args.args[2], publish.call_args.kwargs["headers"]
    headers, (args, _, _) = message.headers, message.body

    assert (headers["id"], headers["retries"], headers["expires"], args) == ("1", 2, expires, (1,))
    assert (headers["group"], headers["root_id"]) == ("g", "root")
    assert own == {"request_id": "r", limits.REPUBLISHED: True}
    assert headers["eta"]


def test_a_task_that_cannot_be_published_again_is_requeued(publish: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_task, "REQUEUE_DELAY", 0)
    publish.side_effect = OperationalError("refused")
    start(single, 1)
    with pytest.raises(Reject) as raised:
        run_in_worker(single, 1)
    rejection: Any = raised.value
    assert rejection.requeue


def test_without_redis_a_task_waits(publish: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    unreachable = Mock(eval=Mock(side_effect=RedisConnectionError), zrem=Mock(side_effect=RedisConnectionError))
    monkeypatch.setattr(limits, "connect", lambda task: nullcontext(unreachable))
    with pytest.raises(LimitExceeded):
        run_in_worker(single, 1)
    publish.assert_called_once()
    limits.release(single, "1", {"slots": ""})  # no error


def test_an_eager_task_and_a_direct_call_have_no_limits() -> None:
    start(single, 1)
    single.apply((1,))
    single(1)
    assert runs == [1, 1]


def test_a_key_of_an_unknown_parameter_is_rejected() -> None:
    with pytest.raises(TypeError, match="start has no parameter 'client' of the key"):
        limit_concurrency(1, key="{client.id}")(start)


def test_the_numbers_of_a_limit_must_be_positive() -> None:
    for decorate in (partial(limit_concurrency, 0), partial(limit_rate, 1, per=0), partial(unique, within=0)):
        with pytest.raises(ValueError, match="requires"):
            decorate()


def test_tasks_with_the_same_name_share_a_limit() -> None:
    one, other = limits.Concurrency("{customer}", "api", 1, None), limits.Concurrency("{customer}", "api", 1, None)
    assert one.make_key(limited, (1,), {}) == other.make_key(single, (), {"customer": 1})
    assert one.make_key(single, (2,), {}) != one.make_key(single, (1,), {})


def test_a_duplicate_returns_the_first_task(publish: Mock) -> None:
    first = generate.delay(1)
    assert generate.delay(1, comment="again").id == generate.apply_async((1,), task_id="x").id == first.id
    publish.assert_called_once()
    assert generate.delay(2).id != first.id


def test_the_period_of_a_unique_task_ends(publish: Mock, client: Redis) -> None:
    first = generate.delay(1)
    (key,) = client.keys(f"{limits.PREFIX}unique:*")
    assert 59_000 < client.pttl(key) <= 60_000
    client.delete(key)  # simulates its expiry
    assert generate.delay(1).id != first.id


def test_a_retry_of_a_unique_task_is_published(publish: Mock) -> None:
    generate.delay(1)
    for options in ({"retries": 1}, {"headers": {limits.REPUBLISHED: True}}):
        assert generate.apply_async((1,), task_id="other", **options).id == "other"


def test_a_unique_task_that_was_not_published_can_be_published_again(publish: Mock) -> None:
    publish.side_effect = OperationalError("refused")
    with pytest.raises(OperationalError):
        generate.delay(1)
    publish.side_effect = None
    generate.delay(1)
    assert publish.call_count == 2


def test_without_redis_a_unique_task_is_not_published(publish: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    unreachable = Mock(eval=Mock(side_effect=RedisConnectionError))
    monkeypatch.setattr(limits, "connect", lambda task: nullcontext(unreachable))
    with pytest.raises(OperationalError, match="task not published"):
        generate.delay(1)
    publish.assert_not_called()


{% if plan().features.http_api %}
def test_a_duplicate_submission_is_a_conflict(publish: Mock) -> None:
    submission: Any = Mock(task=generate.name, kwargs={"report": 1})
    submissions.publish(submission, "first")
    with pytest.raises(submissions.RefusedError, match="The task first is unique") as raised:
        submissions.publish(submission, "second")
    assert raised.value.status == 409
    publish.assert_called_once()


{% endif %}
{% if plan().features.monitoring %}
def test_a_task_that_waits_for_a_limit_has_a_separate_outcome() -> None:
    assert next(outcome for kind, outcome in metrics.OUTCOMES if issubclass(LimitExceeded, kind)) == "limited"


{% endif %}
WORKFLOWS: dict[str, Callable[[Any], Any]] = {
    "first step": lambda task: chain(task, ping.si()).delay(),
    "later step": lambda task: chain(ping.si(), task).delay(),
    "group": lambda task: group(task).delay(),
    "callback": lambda task: ping.apply_async(link=task),
    "with a callback": lambda task: task.apply_async(link=ping.si()),
{% if plan().features.results %}
    "chord": lambda task: chord([task], ping.si()).delay(),
    "body of a chord": lambda task: chord([ping.si()], task).delay(),
{% endif %}
}


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_a_unique_task_in_a_workflow_is_rejected(workflow: Callable[[Any], Any], publish: Mock) -> None:
    with pytest.raises(TypeError, match="is unique: publish it from a task"):
        workflow(generate.si(1))
    published = [call.args[1] for call in publish.call_args_list]
    assert set(published) <= {"celery.chord_unlock"}  # with results in a database, Celery publishes it first


def test_the_records_are_in_the_configured_redis(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
{% if plan().features.redis_results %}
    monkeypatch.setattr(limits, "env", env.model_copy(update={"celery_result_backend": url}))
    backend: Any = RedisBackend
    task = Mock(app=Mock(backend=backend(url=url, app=app)))
{% elif plan().features.redis %}
    monkeypatch.setattr(limits, "env", env.model_copy(update={"celery_broker_url": url}))
    task = Mock(app=Mock(pool=Connection(url, transport_options=app.conf.broker_transport_options).Pool(1)))
{% endif %}
    with limits.connect(task) as connected:
        assert connected.ping()


def test_without_redis_in_tests_there_are_no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with limits.connect(single) as connected:
        assert connected is None
    assert start(single, 1) == start(single, 1) == 0
