"""Tasks that clients submit by HTTP: which ones, the models of their arguments, and how they are sent.

Nothing here waits for the broker or the result backend longer than `DEADLINE`.
"""

import inspect
import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, partial
from importlib import import_module
from typing import Annotated, Any, Literal, TypeVar, Union

import structlog
from celery import Task
from kombu.exceptions import EncodeError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from {{ cookiecutter.project_slug }}.celery_app import app
{% if plan().features.redis_servers %}
from {{ cookiecutter.project_slug }}.redis_servers import check_servers
{% endif %}

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
"""The names of the tasks that clients may submit. A task whose module was deleted is left out, with a warning."""

DEADLINE = 1.5
"""Seconds after which a broker or a result backend that has not answered counts as unavailable."""

DEEPEST = 32
"""The levels of nested lists and objects that arguments may have."""

LARGEST = 64 * 1024
"""The bytes that arguments may have as JSON: pass ids to a task, not the data."""

IMPATIENCE: dict[str, Any] = {
    "broker_connection_timeout": 1,
    "broker_pool_acquire_timeout": 1,
    "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0},
{% if plan().features.redis %}
    "broker_transport_options": {
        "connect_retries_timeout": 1,
        "socket_timeout": 1,
        "socket_connect_timeout": 1,
        "retry_on_timeout": False,
    },
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
"""Settings of a process that answers requests: timeouts in seconds, and one immediate retry for a stale connection."""

Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)

_threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="broker")


class RefusedError(Exception):
    """A submission is refused.

    Attributes:
        status: The status of the response.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class UnavailableError(Exception):
    """The broker or the result backend is unavailable, or did not answer in time."""


class Submission(BaseModel):
    """The body of `POST /tasks`. Each submittable task has a subclass, with its name and the model of its arguments."""

    model_config = ConfigDict(extra="forbid")

    task: str
    arguments: BaseModel

    @property
    def kwargs(self) -> dict[str, Any]:
        """The arguments by their names; the task's own defaults fill in the others."""
        return self.arguments.model_dump(by_alias=True, exclude_unset=True)


class Submitted(BaseModel):
    """A task that was sent to its queue."""

    id: uuid.UUID = Field(description="The task's id.")


class TaskType(BaseModel):
    """A task that can be submitted."""

    name: str = Field(description="The name to submit it by.")
    description: str = Field(description="What it does.")
    queue: str = Field(description="The queue that it is sent to.")
    arguments: dict[str, Any] = Field(description="The JSON schema of its arguments.")


def prepare() -> None:
    """Prepare this process, which answers requests: apply `IMPATIENCE`, and import what the first request needs.

    Call it once, before the first connection.

    Raises:
        NotRegistered, TypeError: See `models`.
{% if plan().features.redis_servers %}
        SystemExit: A Redis cannot be used; see `redis_servers.py`.
{% endif %}
    """
    for name, value in IMPATIENCE.items():
        app.conf[name] = {**app.conf[name], **value} if isinstance(value, dict) else value
    models()
    app.producer_pool  # noqa: B018
    app.backend  # noqa: B018
{% if plan().features.redis_servers %}
    check_servers()
{% endif %}


@cache
def models() -> dict[str, type[Submission]]:
    """Return the model of each submittable task, by the task's name.

    Raises:
        celery.exceptions.NotRegistered: A module does not have the task.
        TypeError: An argument of a task has no name.
    """
    found = {}
    for name in SUBMITTABLE:
        module = name.rpartition(".")[0]
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            if not module.startswith(str(error.name)):
                raise
            log.warning("SUBMITTABLE names a task whose module was deleted", task=name)
        else:
            found[name] = submission_model(app.tasks[name])
    return found


def any_submission() -> Any:
    """Return the type of a submission of any submittable task; pydantic chooses the model by `task`.

    Raises:
        NotRegistered, TypeError: See `models`; the latter also if no task is submittable.
    """
    found = tuple(models().values())
    return found[0] if len(found) == 1 else Annotated[Union[*found], Field(discriminator="task")]


def submission_model(task: Task[Any, Any]) -> type[Submission]:
    """Return the model of a task's submission, from the signature of its function.

    Raises:
        TypeError: An argument has no name.
    """
    fields: dict[str, Any] = {}
    for number, parameter in enumerate(inspect.signature(task.run, eval_str=True).parameters.values()):
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{task.name} cannot be submitted: its argument {parameter} has no name")
        default = ... if parameter.default is parameter.empty else parameter.default
        annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
        # Pydantic has names of its own ("copy", "model_fields"); an alias may be any.
        fields[f"argument_{number}"] = (annotation, Field(default, alias=parameter.name))
    name = "".join(filter(str.isalnum, task.name.title()))
    arguments = create_model(f"{name}Arguments", __config__=ConfigDict(extra="forbid", strict=True), **fields)
    required = any(field.is_required() for field in arguments.model_fields.values())
    body: dict[str, Any] = {
        "task": (Literal[task.name], ...),
        "arguments": (
            Annotated[arguments, BeforeValidator(partial(parse_arguments, arguments))],
            ... if required else Field(default_factory=arguments),
        ),
    }
    return create_model(name, __base__=Submission, **body)


def parse_arguments(model: type[BaseModel], arguments: Any) -> BaseModel:
    """Return the validated arguments.

    They are validated as JSON, where a date is a string although nothing else is converted.

    Raises:
        ValueError: They do not fit the model, or a message cannot carry them.
    """
    text = json.dumps(as_message(arguments, DEEPEST), allow_nan=False)
    if len(text) > LARGEST:
        raise ValueError(f"more than {LARGEST} bytes")
    return model.model_validate_json(text)


def as_message(value: Any, levels: int) -> Any:
    """Return a JSON value as a message carries it: 3.0 becomes 3, since JSON does not distinguish them.

    Raises:
        ValueError: It is nested too deeply, or kombu would decode it to another type.
    """
    if levels < 0:
        raise ValueError(f"more than {DEEPEST} levels of lists and objects")
    if isinstance(value, list):
        return [as_message(item, levels - 1) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"__type__", "__value__"}:
            raise ValueError("an object with the keys __type__ and __value__ is reserved")
        return {name: as_message(item, levels - 1) for name, item in value.items()}
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def task_types() -> list[TaskType]:
    """Return the submittable tasks."""
    return [
        TaskType(
            name=name,
            description=(app.tasks[name].__doc__ or "").strip().partition("\n")[0],
            queue=app.amqp.router.route({}, name)["queue"].name,
            arguments=model.model_fields["arguments"].annotation.model_json_schema(),  # type: ignore[union-attr]
        )
        for name, model in models().items()
    ]


def publish(submission: Submission, task_id: str, **headers: Any) -> None:
    """Send a task to its queue. Waits for the broker without a limit: call it with `promptly`.

    Raises:
        RefusedError: A message cannot carry the type of an argument.
    """
    try:
        app.tasks[submission.task].apply_async(
            kwargs=submission.kwargs,
            task_id=task_id,
            headers=headers,
            # Without it Celery subscribes to the result in this process, which never reads it.
            ignore_result=True,
        )
    except EncodeError as error:
        raise RefusedError(422, f"The arguments cannot be sent: {error}") from error


def promptly(call: Callable[[], Answer], until: float = 0) -> Answer:
    """Return the result of a call to the broker or the result backend.

    The call runs in a thread, so that neither a name server nor a client library can delay the caller.

    Args:
        call: The call.
        until: When to give up, by `time.monotonic()`; by default `DEADLINE` seconds from now.

    Raises:
        UnavailableError: The call took too long, or failed.
        RefusedError: The call raised it.
    """
    future = _threads.submit(copy_context().run, call)
    try:
        return future.result((until or time.monotonic() + DEADLINE) - time.monotonic())
    except RefusedError:
        raise
    except TimeoutError as error:
        # A call that has not started must not run later: the client is told that it failed.
        future.cancel()
        raise UnavailableError("no answer in time") from error
    except Exception as error:  # client libraries raise many types; a full disk is one, too
        log.warning("broker or result backend is unavailable", error=repr(error))
        raise UnavailableError(str(error)) from error


def in_background(call: Callable[[], object]) -> None:
    """Call the broker or the result backend without waiting for the result."""

    def attempt() -> None:
        try:
            call()
        except Exception as error:
            log.warning("broker or result backend is unavailable", error=repr(error))

    _threads.submit(copy_context().run, attempt)
