"""The HTTP API: `uvicorn --factory {{ cookiecutter.project_slug }}.api:create_app`.

Endpoints that call the broker or the result backend are plain functions, which FastAPI runs in threads: nothing in
the event loop waits for either.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio.to_thread
from fastapi import FastAPI
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from {{ cookiecutter.project_slug }} import health as liveness
{% if plan().features.http_metrics %}
from {{ cookiecutter.project_slug }} import http_metrics, logs, signals, submissions
{% elif not plan().features.http_metrics %}
from {{ cookiecutter.project_slug }} import logs, signals, submissions
{% endif %}
from {{ cookiecutter.project_slug }}.api import health, overview, problems, tasks
from {{ cookiecutter.project_slug }}.api.middleware import RequestContext
from {{ cookiecutter.project_slug }}.api_keys import KEYS
from {{ cookiecutter.project_slug }}.settings import env

THREADS = 200
"""Requests that may wait for the broker at the same time, each in a thread, for at most two seconds."""

TAGS = [
    {"name": "tasks", "description": "Submit tasks, and follow them."},
    {"name": "overview", "description": "The tasks, queues and periodic tasks of this project."},
    {"name": "health", "description": "For probes; no key is needed."},
]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start and stop what runs beside the requests."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
{% if plan().features.http_metrics %}
    http_metrics.serve()
{% endif %}
    heartbeat = asyncio.create_task(beat())
    liveness.notify_systemd("READY=1")
    yield
    liveness.notify_systemd("STOPPING=1")
    heartbeat.cancel()
    with suppress(asyncio.CancelledError):
        await heartbeat


async def beat() -> None:
    """Show that the event loop is alive: to systemd's watchdog, and by `HEARTBEAT_FILE`."""
    while True:
        liveness.show_life()
        await asyncio.sleep(10)


def configure_logs() -> None:
    """Log Uvicorn's messages in the form of all others; by now it has set up its own."""
    logs.configure()
    logging.getLogger("uvicorn").handlers.clear()
    logging.getLogger("uvicorn").propagate = True
    # It passes each text twice, the second time with colours.
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.__dict__.pop("color_message", "") is not None)


def create_app() -> FastAPI:
    """Return the application.

    Raises:
        SystemExit: There is no API key; the message is one line.
        NotRegistered, TypeError: A task in `submissions.SUBMITTABLE` cannot be submitted.
    """
    if not KEYS:
        raise SystemExit("API_KEY: is missing. Write for example: API_KEY=at-least-16-random-characters")
    configure_logs()
    signals.start_sentry()
    submissions.prepare()
    app = FastAPI(
        title={{ plan().project.name | python }},
        description={{ plan().project.description | python }},
        lifespan=lifespan,
        openapi_tags=TAGS,
        generate_unique_id_function=lambda route: f"{route.tags[0]}-{route.name}",
        # The pages load their code from a CDN.
        docs_url="/docs" if env.api_docs else None,
        redoc_url=None,
        openapi_url="/openapi.json" if env.api_docs else None,
        # A redirect would go to the host that the client named.
        redirect_slashes=False,
    )
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=submissions.LARGEST)
    app.add_middleware(RequestContext)  # outside the others: it logs what they answer
    problems.install(app)
    for routes in (health, overview, tasks):
        app.include_router(routes.router)
    return app
