"""Tasks that clients submit by HTTP: the list of tasks, the models of their arguments, and publishing.

A call to the broker or the result backend waits at most `DEADLINE` seconds.
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
"""The names of the tasks that clients may submit. A task whose module does not exist is skipped with a warning."""

DEADLINE = 1.5
"""The time limit of a call to the broker or the result backend, in seconds."""

MAX_JSON_DEPTH = 32
"""The maximum nesting depth of lists and objects in arguments."""

MAX_BODY_BYTES = 64 * 1024
"""The maximum size of the arguments as JSON, in bytes. Pass ids to a task, not data."""

FAIL_FAST_SETTINGS: dict[str, Any] = {
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
        # The store of dead letters waits up to one second for messages.
        "client-config": {"connect_timeout": 1, "read_timeout": 2, "retries": {"total_max_attempts": 1}},
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
"""Settings of an HTTP process: timeouts in seconds, and one immediate retry in case a pooled connection is stale."""

Result = TypeVar("Result")

log = structlog.get_logger(__name__)

_executor = ThreadPoolExecutor(max_workers=16, thread_name_prefix="broker")


class RefusedError(Exception):
    """A request that is invalid, or conflicts with the state of a task or an earlier submission.

    Attributes:
        status: The HTTP status of the response.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class UnavailableError(Exception):
    """A broker or result backend that is unreachable or did not respond in time."""


class Submission(BaseModel):
    """The body of `POST /tasks`. Each task has a subclass with its name and the model of its arguments."""

    model_config = ConfigDict(extra="forbid")

    task: str
    arguments: BaseModel

    @property
    def kwargs(self) -> dict[str, Any]:
        """The keyword arguments of the task. Omitted arguments keep the defaults of the task."""
        return self.arguments.model_dump(by_alias=True, exclude_unset=True)


class Submitted(BaseModel):
    """A submitted task."""

    id: uuid.UUID = Field(description="The id of the task.")


class TaskType(BaseModel):
    """A task that can be submitted."""

    name: str = Field(description="The name of the task.")
    description: str = Field(description="The first line of the task's docstring.")
    queue: str = Field(description="The queue of the task.")
    arguments: dict[str, Any] = Field(description="The JSON schema of the arguments.")


def warm_up() -> None:
    """Prepare an HTTP process: apply `FAIL_FAST_SETTINGS`, and create the models and the connection pools.

    Call it once, before the first connection to the broker.

    Raises:
        NotRegistered, TypeError: See `load_models`.
{% if plan().features.redis_servers %}
        SystemExit: A Redis server is unsuitable; see `redis_servers.py`.
{% endif %}
    """
    for name, value in FAIL_FAST_SETTINGS.items():
        app.conf[name] = {**app.conf[name], **value} if isinstance(value, dict) else value
    load_models()
    app.producer_pool  # noqa: B018
    app.backend  # noqa: B018
{% if plan().features.redis_servers %}
    check_servers()
{% endif %}


@cache
def load_models() -> dict[str, type[Submission]]:
    """Return the model of each submittable task, by the task's name.

    Raises:
        celery.exceptions.NotRegistered: A module exists, but does not define the task.
        TypeError: A parameter of a task cannot be passed by name.
    """
    loaded = {}
    for name in SUBMITTABLE:
        module = name.rpartition(".")[0]
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            if not module.startswith(str(error.name)):
                raise
            log.warning("module of submittable task not found", task=name)
        else:
            loaded[name] = build_submission_model(app.tasks[name])
    return loaded


def build_submission_type() -> Any:
    """Return the type of a request body: a union of all models, discriminated by `task`.

    Raises:
        NotRegistered, TypeError: See `load_models`. TypeError is also raised if no task can be submitted.
    """
    models = tuple(load_models().values())
    return models[0] if len(models) == 1 else Annotated[Union[*models], Field(discriminator="task")]


def build_submission_model(task: Task[Any, Any]) -> type[Submission]:
    """Return the model of a task's submission, derived from the signature of the task.

    Raises:
        TypeError: A parameter cannot be passed by name.
    """
    fields: dict[str, Any] = {}
    for number, parameter in enumerate(inspect.signature(task.run, eval_str=True).parameters.values()):
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{task.name} cannot be submitted: parameter {parameter} cannot be passed by name")
        default = ... if parameter.default is parameter.empty else parameter.default
        annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
        # Pydantic reserves some field names ("copy", "model_fields"), but no aliases.
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

    Strict validation of JSON converts strings to dates and similar types, and nothing else.

    Raises:
        ValueError: The arguments do not match the model, or cannot be sent in a message.
    """
    text = json.dumps(normalize_json(arguments, MAX_JSON_DEPTH), allow_nan=False)
    if len(text) > MAX_BODY_BYTES:
        raise ValueError(f"larger than {MAX_BODY_BYTES} bytes")
    return model.model_validate_json(text)


def normalize_json(value: Any, levels: int) -> Any:
    """Return a JSON value with whole floats as integers: 3.0 becomes 3, since JSON has one number type.

    Raises:
        ValueError: The value is nested too deeply, or kombu would decode it as another type.
    """
    if levels < 0:
        raise ValueError(f"nested more than {MAX_JSON_DEPTH} levels deep")
    if isinstance(value, list):
        return [normalize_json(item, levels - 1) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"__type__", "__value__"}:
            raise ValueError("objects with exactly the keys __type__ and __value__ are reserved")
        return {name: normalize_json(item, levels - 1) for name, item in value.items()}
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def list_task_types() -> list[TaskType]:
    """Return the tasks that clients may submit."""
    return [
        TaskType(
            name=name,
            description=(app.tasks[name].__doc__ or "").strip().partition("\n")[0],
            queue=app.amqp.router.route({}, name)["queue"].name,
            arguments=model.model_fields["arguments"].annotation.model_json_schema(),  # type: ignore[union-attr]
        )
        for name, model in load_models().items()
    ]


def publish(submission: Submission, task_id: str, **headers: Any) -> None:
    """Publish a task to its queue. This has no time limit: call it with `call_with_deadline`.

    Raises:
{% if plan().features.limits %}
        RefusedError: An argument cannot be serialized, or the task is a duplicate of a unique task.
{% elif not plan().features.limits %}
        RefusedError: An argument cannot be serialized.
{% endif %}
    """
    try:
{% if plan().features.limits %}
        published = app.tasks[submission.task].apply_async(
{% elif not plan().features.limits %}
        app.tasks[submission.task].apply_async(
{% endif %}
            kwargs=submission.kwargs,
            task_id=task_id,
            headers=headers,
            # Otherwise, Celery would subscribe to the result in this process, which does not read it.
            ignore_result=True,
        )
    except EncodeError as error:
        raise RefusedError(422, f"The arguments cannot be serialized: {error}") from error
{% if plan().features.limits %}
    if published.id != task_id:
        raise RefusedError(409, f"The task {published.id} is unique and was already submitted.")
{% endif %}


def call_with_deadline(
    call: Callable[[], Result], deadline: float = 0, executor: ThreadPoolExecutor = _executor
) -> Result:
    """Call the broker or the result backend, and return the result.

    The call runs in a thread, since DNS lookups and client libraries do not respect a deadline.

    Args:
        call: The function to call.
        deadline: The end of the wait, from `time.monotonic()`. Defaults to `DEADLINE` seconds from now.
        executor: The threads that run the calls.

    Raises:
        UnavailableError: The call timed out or failed.
        RefusedError: The call raised it.
    """
    future = executor.submit(copy_context().run, call)
    try:
        return future.result((deadline or time.monotonic() + DEADLINE) - time.monotonic())
    except RefusedError:
        raise
    except TimeoutError as error:
        # A call that has not started must not run later: the client receives an error.
        future.cancel()
        raise UnavailableError("timed out") from error
    except Exception as error:  # client libraries raise many types
        log.warning("broker or result backend unavailable", error=repr(error))
        raise UnavailableError(str(error)) from error


def call_in_background(call: Callable[[], object]) -> None:
    """Call the broker or the result backend without waiting for the result."""

    def attempt() -> None:
        try:
            call()
        except Exception as error:
            log.warning("broker or result backend unavailable", error=repr(error))

    _executor.submit(copy_context().run, attempt)
