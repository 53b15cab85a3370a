"""Tasks that come in by HTTP: which may be submitted, and with what; this knows nothing of a web framework.

What can go wrong has an exception each: `MalformedError`, `InvalidError` and `UnavailableError`. Nothing here
waits for a broker longer than `DEADLINE`.
"""

import inspect
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import structlog
from kombu.exceptions import EncodeError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import from_json

from {{ cookiecutter.project_slug }}.celery_app import app

{% filter one_line_if_short %}
SUBMITTABLE = [
{% for task in plan().task_names %}
    "{{ task }}",
{% endfor %}
{% if plan().features.result_examples %}
    "{{ cookiecutter.project_slug }}.examples.progress.add_up",
{% endif %}
{% if plan().features.cancellation_examples %}
    "{{ cookiecutter.project_slug }}.examples.stopping.count_down",
{% endif %}
]
{% endfilter %}
"""The tasks that callers may submit, by their names; all others are only for this project's own code."""

DEADLINE = 1.5
"""Seconds after which a broker or a result backend that has not answered counts as unavailable."""

DEEPEST = 32
"""Levels of lists and objects within each other that a submission may have."""

MOST_ERRORS = 20
"""Mistakes in a submission that are reported; a hostile one may have thousands."""

IMPATIENCE: dict[str, Any] = {
    "broker_connection_timeout": 1,
    "broker_pool_acquire_timeout": 1,
    "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0},
{% if plan().features.redis %}
    "broker_transport_options": {"connect_retries_timeout": 1, "socket_timeout": 1, "socket_connect_timeout": 1},
{% elif plan().features.rabbitmq %}
    "broker_transport_options": {"connect_retries_timeout": 1, "read_timeout": 1, "write_timeout": 1},
{% elif plan().features.sqs %}
    "broker_transport_options": {
        "connect_retries_timeout": 1,
        "client-config": {"connect_timeout": 1, "read_timeout": 1, "retries": {"total_max_attempts": 1}},
    },
{% endif %}
    "result_backend_thread_safe": True,
{% if plan().features.redis_results %}
    "redis_socket_timeout": 1,
    "redis_socket_connect_timeout": 1,
    "result_backend_transport_options": {"retry_policy": {"timeout": 1}},
{% elif plan().features.database_results %}
    "result_backend_max_retries": 0,
{% elif plan().features.django_results %}
    "result_backend_max_retries": 0,
{% endif %}
}
"""Settings of a process in which somebody waits: seconds, and one retry at once for a connection that went stale."""

Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)

_threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="broker")


class MalformedError(Exception):
    """The body of a request is not JSON that a message can carry; the text says why."""


class InvalidError(Exception):
    """A submission names an unknown task, or its arguments do not fit.

    Attributes:
        errors: for each mistake the `field` it is in, as "arguments.days", and a `message`.
    """

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__("; ".join(f"{error['field']}: {error['message']}" for error in errors))
        self.errors = errors


class UnavailableError(Exception):
    """The broker or the result backend is away, or does not answer in time."""


@dataclass(frozen=True)
class Submission:
    """A task to run, and its checked arguments by their names."""

    task: str
    arguments: dict[str, Any]


class _Envelope(BaseModel):
    """What a submission looks like before its task is known."""

    model_config = ConfigDict(extra="forbid", strict=True)

    task: str
    arguments: dict[str, Any] = {}


def prepare() -> None:
    """Make this process, in which somebody waits for answers, ready for the first and quick in giving up.

    Call it once, before the first connection.

    Raises:
        KeyError, TypeError: see `submittable`.
    """
    for name, value in IMPATIENCE.items():
        app.conf[name] = {**app.conf[name], **value} if isinstance(value, dict) else value
    # Import what the first request would otherwise wait for.
    submittable()
    app.producer_pool  # noqa: B018
    app.backend  # noqa: B018


@cache
def submittable() -> dict[str, type[BaseModel]]:
    """The tasks that may be submitted, by name, each with a model of its arguments.

    Raises:
        KeyError: no task has one of the names in `SUBMITTABLE`.
        TypeError: a task takes arguments that have no name.
    """
    app.loader.import_default_modules()
    return {name: _arguments_of(name) for name in SUBMITTABLE}


def _arguments_of(task: str) -> type[BaseModel]:
    """The model of a task's arguments, from the signature of its function.

    Raises:
        KeyError, TypeError: see `submittable`.
    """
    fields: dict[str, Any] = {}
    for number, parameter in enumerate(inspect.signature(app.tasks[task].run, eval_str=True).parameters.values()):
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{task} cannot be submitted: its argument {parameter} has no name of its own")
        default = ... if parameter.default is parameter.empty else parameter.default
        annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
        # Pydantic has names of its own ("copy", "model_fields"); an alias may be any.
        fields[f"argument_{number}"] = (annotation, Field(default, alias=parameter.name))
    return create_model(task, __config__=ConfigDict(extra="forbid", strict=True), **fields)


def read(body: bytes) -> Submission:
    """The submission in the body of a request: `{"task": "...", "arguments": {...}}`, as JSON.

    Raises:
        MalformedError: it is not JSON, too deep, or has a value that the worker could not read back.
        InvalidError: the task may not be submitted, or its arguments do not fit its signature.
    """
    try:
        content = _carriable(from_json(body, allow_inf_nan=False), DEEPEST)
    except ValueError as error:
        raise MalformedError(str(error)) from None
    if not isinstance(content, dict):
        raise InvalidError([{"field": "body", "message": "is not an object"}])
    try:
        envelope = _Envelope.model_validate(content)
    except ValidationError as error:
        raise _invalid(error) from None
    model = submittable().get(envelope.task)
    if model is None:
        raise InvalidError([{"field": "task", "message": "is not one of the tasks that may be submitted"}])
    try:
        # As JSON again, since there a date is a string even where nothing else is converted.
        checked = model.model_validate_json(json.dumps(envelope.arguments))
    except ValidationError as error:
        raise _invalid(error, "arguments") from None
    return Submission(envelope.task, checked.model_dump(by_alias=True, exclude_unset=True))


def _carriable(value: Any, levels: int) -> Any:
    """A value of JSON as messages carry it: 3.0 is 3, since JSON knows no difference.

    Raises:
        MalformedError: it has more levels, an infinite number, or what kombu would take for one of its own objects.
    """
    if levels < 0:
        raise MalformedError(f"more than {DEEPEST} levels of lists and objects")
    if isinstance(value, list):
        return [_carriable(item, levels - 1) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"__type__", "__value__"}:
            raise MalformedError("an object with the keys __type__ and __value__ has a meaning of its own in messages")
        return {name: _carriable(item, levels - 1) for name, item in value.items()}
    if isinstance(value, float):
        if not math.isfinite(value):
            raise MalformedError("a number is too large")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value


def _invalid(error: ValidationError, *prefix: str) -> InvalidError:
    """The mistakes that pydantic found, without the values, which may be secret or huge."""
    return InvalidError(
        [
            {"field": ".".join(map(str, (*prefix, *mistake["loc"]))), "message": mistake["msg"]}
            for mistake in error.errors(include_url=False, include_input=False, include_context=False)[:MOST_ERRORS]
        ]
    )


def publish(submission: Submission, task_id: str, **headers: Any) -> None:
    """Send a task to its queue; waits for the broker as long as it takes: call it by `promptly`.

    Raises:
        InvalidError: an argument has a type that messages do not know.
    """
    try:
        app.tasks[submission.task].apply_async(
            kwargs=submission.arguments,
            task_id=task_id,
            headers=headers,
            # Without it Celery subscribes to the result in this process, where nobody waits for it.
            ignore_result=True,
        )
    except EncodeError as error:
        raise InvalidError([{"field": "arguments", "message": f"cannot be sent: {error}"}]) from error


def promptly(ask: Callable[[], Answer], until: float = 0) -> Answer:
    """What a function returns that asks a broker or a result backend.

    It runs in a thread, so that neither a name server nor a client library can keep the caller waiting.

    Args:
        ask: the function.
        until: when to give up, by `time.monotonic()`; by default `DEADLINE` seconds from now.

    Raises:
        UnavailableError: it took too long, or failed.
        InvalidError: it said so.
    """
    future = _threads.submit(copy_context().run, ask)
    try:
        return future.result((until or time.monotonic() + DEADLINE) - time.monotonic())
    except InvalidError:
        raise
    except TimeoutError as error:
        # If it waits for a thread, it shall not be done later: the caller has been told that it failed.
        future.cancel()
        raise UnavailableError("no answer in time") from error
    except Exception as error:  # brokers' libraries have many, and a full disk is one as well as a closed port
        log.warning("broker or result backend is unavailable", error=repr(error))
        raise UnavailableError(str(error)) from error


def in_background(ask: Callable[[], object]) -> None:
    """Call a function that asks a broker or a result backend, and wait neither for it nor for its success."""

    def attempt() -> None:
        try:
            ask()
        except Exception as error:
            log.warning("broker or result backend is unavailable", error=repr(error))

    _threads.submit(copy_context().run, attempt)
