"""Spans, as an OTLP collector receives them, and the ids of a trace in log lines."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from typing import Any
from unittest.mock import Mock

import pytest
from kombu.exceptions import OperationalError
from opentelemetry import trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from {{ cookiecutter.project_slug }} import logs, tracing
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.errors import RetryableError
from {{ cookiecutter.project_slug }}.settings import env
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping

Spans = Queue[tuple[str, Any]]


@app.task(
    bind=True,
    default_retry_delay=1,  # seconds: the instrumentation requires that the first run has ended
    name="{{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }}.fail_once",
    retry_backoff=False,
    shared=False,
)
def fail_once(self: Any) -> None:
    """Fail, and succeed in the first retry."""
    if not self.request.retries:
        raise RetryableError("busy")


@pytest.fixture(scope="module")
def collector() -> Iterator[Spans]:
    """Run an OTLP collector; yield the spans of this process, as pairs of a service name and a span."""
    spans: Spans = Queue()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                attributes = {item.key: item.value.string_value for item in group.resource.attributes}
                for span in (span for scope in group.scope_spans for span in scope.spans):
                    spans.put((attributes["service.name"], span))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Write no access log."""

    with HTTPServer(("127.0.0.1", 0), Collector) as server, pytest.MonkeyPatch.context() as patch:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)  # for the exporter
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")  # milliseconds between exports, 5 seconds by default
        patch.setattr(tracing, "env", env.model_copy(update={"otel_exporter_otlp_endpoint": endpoint}))
        tracing.configure()
        yield spans
        instrumentor: Any = CeleryInstrumentor
        instrumentor().uninstrument()
        provider: Any = trace.get_tracer_provider()
        provider.shutdown()
        server.shutdown()


@pytest.fixture
def collect(collector: Spans) -> Callable[..., list[Any]]:
    """Return a function that waits for spans with these names, and returns them in this order."""

    def collect(*names: str) -> list[Any]:
        spans: list[Any] = []
        while Counter(names) - Counter(span.name for span in spans):
            service, span = collector.get(timeout=30)
            assert service == "{{ plan().dns_name }}"
            spans.append(span)
        spans.sort(key=lambda span: int(span.start_time_unix_nano))
        return [spans.pop([span.name for span in spans].index(name)) for name in names]

    return collect


@pytest.mark.usefixtures("worker")
def test_a_run_belongs_to_the_trace_of_its_publisher(collect: Callable[..., list[Any]]) -> None:
    with trace.get_tracer(__name__).start_as_current_span("request"):
        ping.delay()
    request, publish, run = collect("request", f"apply_async/{ping.name}", f"run/{ping.name}")

    assert publish.parent_span_id == request.span_id
    assert run.parent_span_id == publish.span_id
    assert run.trace_id == publish.trace_id == request.trace_id


@pytest.mark.usefixtures("worker")
def test_a_retry_belongs_to_the_same_trace(collect: Callable[..., list[Any]]) -> None:
    fail_once.delay()
    names = [f"apply_async/{fail_once.name}", f"run/{fail_once.name}"]
    publish, run, retry, second_run = collect(*names, *names)

    assert run.parent_span_id == publish.span_id
    assert retry.parent_span_id == run.span_id
    assert second_run.parent_span_id == retry.span_id
    attributes = {item.key: item.value.string_value for item in run.attributes}
    assert "busy" in attributes["celery.retry.reason"]


def test_a_failed_publish_ends_its_span(collect: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kombu.Producer.publish", Mock(side_effect=OperationalError("refused")))
    before = trace.get_current_span()
    with pytest.raises(OperationalError):
        ping.delay()
    (publish,) = collect(f"apply_async/{ping.name}")

    assert "refused" in publish.status.message
    assert trace.get_current_span() is before


def test_log_lines_have_the_ids_of_the_current_span(collector: Spans) -> None:
    assert tracing.add_trace_ids(None, "", {"event": "outside"}) == {"event": "outside"}
    with trace.get_tracer(__name__).start_as_current_span("request") as span:
        line = tracing.add_trace_ids(None, "", {"event": "inside"})
    ids = span.get_span_context()
    assert line == {"event": "inside", "trace_id": f"{ids.trace_id:032x}", "span_id": f"{ids.span_id:016x}"}
    assert tracing.add_trace_ids in logs.SHARED


def test_without_an_endpoint_nothing_is_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "env", env.model_copy(update={"otel_exporter_otlp_endpoint": ""}))
    set_provider = Mock()
    monkeypatch.setattr(trace, "set_tracer_provider", set_provider)
    tracing.configure()
    set_provider.assert_not_called()
