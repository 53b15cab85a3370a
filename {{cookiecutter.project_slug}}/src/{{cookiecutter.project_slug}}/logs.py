"""Structured logs of this project, Celery and all libraries, in one format.

Use `structlog.get_logger()` or `logging.getLogger()`. Each log line of a task has its `task_id`, its `task_name` and the
`request_id` of the request that published it.
"""

import logging
import logging.config
import sys

import structlog
from structlog.typing import Processor

{% if plan().features.tracing %}
from {{ cookiecutter.project_slug }} import tracing
{% endif %}
from {{ cookiecutter.project_slug }}.settings import env

SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
{% if plan().features.tracing %}
    tracing.add_trace_ids,
{% endif %}
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]
# Without local variables, which may contain passwords and personal data.
TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
RENDERERS: dict[str, list[Processor]] = {
    "json": [TRACEBACKS, structlog.processors.JSONRenderer(ensure_ascii=False)],
    "console": [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())],
}


def configure() -> None:
    """Write the log records of this process to standard error, as configured by `LOG_FORMAT` and `LOG_LEVEL`."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": [*SHARED, structlog.stdlib.ExtraAdder()],
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        *RENDERERS[env.log_format],
                    ],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
            "loggers": {
                # base_task.py logs the same events, with the ids as keys and without the arguments.
                "celery.app.trace": {"level": "CRITICAL"},
                "celery.worker.strategy": {"level": "WARNING"},
            },
            "root": {"handlers": ["stderr"], "level": env.log_level},
        }
    )
    for variable in env.unverified_variables():
        structlog.get_logger(__name__).warning("TLS certificate not verified", variable=variable)
