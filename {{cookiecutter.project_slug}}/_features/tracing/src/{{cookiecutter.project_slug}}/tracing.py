"""OpenTelemetry traces: a span for each published task, for each run of a task and for each HTTP request.

The SDK and the exporter read the standard variables `OTEL_*`:
https://opentelemetry.io/docs/languages/sdk-configuration/
"""

{% if plan().features.outbox %}
from collections.abc import Iterator, Mapping
{% else %}
from collections.abc import Iterator
{% endif %}
from contextlib import contextmanager
from typing import Any

{% if plan().features.outbox %}
from opentelemetry import context, propagate, trace
{% else %}
from opentelemetry import context, trace
{% endif %}
from structlog.typing import EventDict

from {{ cookiecutter.project_slug }}.settings import env


def configure() -> None:
    """Export the spans of this process and of its child processes, if `OTEL_EXPORTER_OTLP_ENDPOINT` is set.

    A worker calls this before it starts its pool. The SDK restarts the exporting thread in each forked process.
    """
    if not env.otel_exporter_otlp_endpoint:
        return
    # Imported here, because the SDK uses memory in each process.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": env.otel_service_name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    instrumentor: Any = CeleryInstrumentor  # it has no types
    instrumentor().instrument()


def flush() -> None:
    """Export the spans that have ended. A pool process that exits does not run the SDK's exit handler."""
    provider: Any = trace.get_tracer_provider()
    if hasattr(provider, "force_flush"):  # the SDK's provider, not the API's
        provider.force_flush()


@contextmanager
def publishing() -> Iterator[None]:
    """End the span of a publish that fails: the instrumentation ends it only after a successful publish."""
    parent = trace.get_current_span()
    token = context.attach(context.get_current())
    try:
        yield
    except Exception as error:
        span = trace.get_current_span()
        if span is not parent:
            span.record_exception(error)
            span.set_status(trace.StatusCode.ERROR, repr(error))
            span.end()
        raise
    finally:
        context.detach(token)


{% if plan().features.outbox %}
@contextmanager
def continuing(headers: Mapping[str, Any]) -> Iterator[None]:
    """Continue the trace whose ids `propagate.inject` has added to the headers of a message."""
    token = context.attach(propagate.extract(headers))
    try:
        yield
    finally:
        context.detach(token)


{% endif %}
def add_trace_ids(_: Any, __: str, event: EventDict) -> EventDict:
    """Add the ids of the current trace and span to a log line. This is a processor of structlog."""
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = trace.format_trace_id(span.trace_id)
        event["span_id"] = trace.format_span_id(span.span_id)
    return event
