"""The HTTP API: `uvicorn --factory {{ cookiecutter.project_slug }}.api:create_app`.

Everything that asks the broker or the result backend is a plain function, which FastAPI runs in a thread; nothing
in the event loop waits for either.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio.to_thread
from fastapi import FastAPI

from {{ cookiecutter.project_slug }} import health as liveness
from {{ cookiecutter.project_slug }} import logs, signals, submissions
{% if plan().features.beat %}
from {{ cookiecutter.project_slug }}.api import health, openapi, overview, problems, schedule, tasks
{% else %}
from {{ cookiecutter.project_slug }}.api import health, openapi, overview, problems, tasks
{% endif %}
from {{ cookiecutter.project_slug }}.api.middleware import RequestContext
from {{ cookiecutter.project_slug }}.settings import env

THREADS = 200
"""Requests that may wait for the broker at the same time; each of them waits in a thread, for two seconds at most."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """What happens around the time in which requests are served."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    pulse = asyncio.create_task(beat())
    liveness.notify_systemd("READY=1")
    yield
    liveness.notify_systemd("STOPPING=1")
    pulse.cancel()
    with suppress(asyncio.CancelledError):
        await pulse


async def beat() -> None:
    """Show that the event loop is alive: to systemd's watchdog, and by `HEARTBEAT_FILE`."""
    while True:
        liveness.show_life()
        await asyncio.sleep(10)


def configure_logs() -> None:
    """Let Uvicorn's lines have the form of all others; by now it has set up its own."""
    logs.configure()
    logging.getLogger("uvicorn").handlers.clear()
    logging.getLogger("uvicorn").propagate = True
    # It hands over each text twice, the second time with colours.
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.__dict__.pop("color_message", "") is not None)


def create_app() -> FastAPI:
    """The application, ready to be served.

    Raises:
        SystemExit: there is no API key; the message is one line.
        KeyError, TypeError: a task that `submissions.py` lists does not exist, or cannot be submitted.
    """
    if not env.api_key:
        raise SystemExit("API_KEY: is missing. Write for example: API_KEY=at-least-16-random-characters")
    configure_logs()
    signals.start_sentry()
    submissions.prepare()
    app = FastAPI(
        title={{ plan().project.name | python }},
        description={{ plan().project.description | python }},
        lifespan=lifespan,
        # The schema is behind the API key, and pages that browse it would load their code from elsewhere.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # A redirect would go to whatever host the caller has named.
        redirect_slashes=False,
    )
    app.add_middleware(RequestContext)
    problems.install(app)
    openapi.install(app)
{% if plan().features.beat %}
    for routes in (health, overview, schedule, tasks):
{% else %}
    for routes in (health, overview, tasks):
{% endif %}
        app.include_router(routes.router)
    return app
