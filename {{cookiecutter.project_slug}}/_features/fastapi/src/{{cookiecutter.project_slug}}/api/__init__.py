"""The HTTP API: `uvicorn --factory {{ cookiecutter.project_slug }}.api:create_app`.

Endpoints that call the broker or the result backend are plain `def` functions. FastAPI runs them in a thread pool, so
they do not block the event loop.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio.to_thread
from fastapi import FastAPI
{% if plan().features.tracing %}
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
{% endif %}
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from {{ cookiecutter.project_slug }} import health as liveness
{% if plan().features.http_metrics %}
from {{ cookiecutter.project_slug }} import http_metrics, logs, signals, submissions
{% elif not plan().features.http_metrics %}
from {{ cookiecutter.project_slug }} import logs, signals, submissions
{% endif %}
{% if plan().features.history_fastapi %}
from {{ cookiecutter.project_slug }}.api import control, dead_letters, health, overview, problems, runs, tasks
{% else %}
from {{ cookiecutter.project_slug }}.api import dead_letters, health, overview, problems, tasks
{% endif %}
from {{ cookiecutter.project_slug }}.api.middleware import RequestContextMiddleware
from {{ cookiecutter.project_slug }}.api_keys import KEYS
from {{ cookiecutter.project_slug }}.settings import env

MAX_THREADS = 200
"""The size of the thread pool. A request that calls the broker uses a thread for at most two seconds, or 27 seconds
for dead letters."""

TAGS = [
{% if plan().features.fastapi_tracking %}
    {"name": "tasks", "description": "Submit, track and cancel tasks."},
{% elif plan().features.fastapi_submission %}
    {"name": "tasks", "description": "Submit tasks."},
{% endif %}
    {"name": "overview", "description": "The task types, queues and periodic tasks of this project."},
    {"name": "dead-letters", "description": "List, show, replay and discard tasks that failed permanently."},
    {"name": "health", "description": "Liveness and readiness. No API key is required."},
]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start the background services of the process, and stop them at shutdown."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = MAX_THREADS
{% if plan().features.http_metrics %}
    http_metrics.serve()
{% endif %}
    heartbeat = asyncio.create_task(send_heartbeats())
    liveness.notify_systemd("READY=1")
    yield
    liveness.notify_systemd("STOPPING=1")
    heartbeat.cancel()
    with suppress(asyncio.CancelledError):
        await heartbeat


async def send_heartbeats() -> None:
    """Notify systemd's watchdog and touch `HEARTBEAT_FILE` every 10 seconds, while the event loop runs."""
    while True:
        liveness.report_alive()
        await asyncio.sleep(10)


def configure_logs() -> None:
    """Write Uvicorn's messages in the format of the other log lines."""
    # Uvicorn has configured its own handlers before it calls `create_app`.
    logs.configure()
    logging.getLogger("uvicorn").handlers.clear()
    logging.getLogger("uvicorn").propagate = True
    # Uvicorn adds each message a second time, with colors, as `color_message`.
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.__dict__.pop("color_message", "") is not None)


def create_app() -> FastAPI:
    """Return the application.

    Raises:
        SystemExit: No API key is configured. The message is one line.
        NotRegistered, TypeError: A task in `submissions.SUBMITTABLE` cannot be submitted.
    """
    if not KEYS:
        raise SystemExit("API_KEY: not set. Example: API_KEY=at-least-16-random-characters")
    configure_logs()
    signals.start_sentry()
{% if plan().features.tracing %}
    signals.start_tracing()
{% endif %}
    submissions.warm_up()
    app = FastAPI(
        title={{ plan().project.name | python }},
        description={{ plan().project.description | python }},
        lifespan=lifespan,
        openapi_tags=TAGS,
        generate_unique_id_function=lambda route: f"{route.tags[0]}-{route.name}",
        # Swagger UI loads its scripts from a CDN.
        docs_url="/docs" if env.api_docs else None,
        redoc_url=None,
        openapi_url="/openapi.json" if env.api_docs else None,
        # A redirect would use the Host header of the request, which the client controls.
        redirect_slashes=False,
    )
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=submissions.MAX_BODY_BYTES)
    app.add_middleware(RequestContextMiddleware)  # the outermost one: it logs the responses of the others
    problems.add_error_handlers(app)
{% if plan().features.history_fastapi %}
    for module in (health, overview, tasks, dead_letters, runs, control):
{% else %}
    for module in (health, overview, tasks, dead_letters):
{% endif %}
        app.include_router(module.router)
{% if plan().features.tracing %}
    FastAPIInstrumentor.instrument_app(app, excluded_urls="/health", exclude_spans=["receive", "send"])
{% endif %}
    return app
