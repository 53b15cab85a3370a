"""Structured logs for our code, Celery's and every library's, in one format.

`structlog.get_logger()` and `logging.getLogger()` both end here. Inside a task each line carries its
`task_id`, `task_name` and the `request_id` of whoever sent it.
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
# Without the values of local variables, among which are passwords and what people entrusted to us.
TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
RENDERERS: dict[str, list[Processor]] = {
    "json": [TRACEBACKS, structlog.processors.JSONRenderer(ensure_ascii=False)],
    "console": [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())],
}


def configure() -> None:
    """Send every log record of this process to standard error, in `LOG_FORMAT` from `LOG_LEVEL` on."""
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
                # base_task.py logs the same in one line, with the ids as data and without the arguments.
                "celery.app.trace": {"level": "CRITICAL"},
                "celery.worker.strategy": {"level": "WARNING"},
            },
            "root": {"handlers": ["stderr"], "level": env.log_level},
        }
    )
    for variable in env.unverified():
        structlog.get_logger(__name__).warning("TLS does not verify the server", variable=variable)
