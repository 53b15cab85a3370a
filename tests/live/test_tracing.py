"""The extra `tracing` with real processes: the spans that an OTLP collector receives."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.conftest import count
from tests.live.api import start_api
from tests.live.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.bakery import Bakery
    from tests.support.brokers import Redis
    from tests.support.environments import Environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("tracing")]

TASKS = "traced.tasks"
FAILING_TASK = '''

@shared_task(bind=True, retry_backoff=False, default_retry_delay=1)
def fail_once(self):
    """Fail, and succeed in the first retry."""
    if not self.request.retries:
        raise RetryableError("busy")
'''


class Collector:
    """An OTLP collector. `spans` contains the received spans by name."""

    def __init__(self) -> None:
        self.spans: dict[str, list[Any]] = defaultdict(list)
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for span in (span for scope in group.scope_spans for span in scope.spans):
                        collector.spans[span.name].append(span)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Write no access log."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of the processes that export to this collector, twice per second."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.server.server_port}",
            "OTEL_BSP_SCHEDULE_DELAY": "500",
        }


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Return a running OTLP collector."""
    collector = Collector()
    yield collector
    collector.server.shutdown()
    collector.server.server_close()


@pytest.fixture(scope="module")
def service(
    collector: Collector,
    redis_server: Redis,
    bake: Bakery,
    install_project: Callable[..., Environment],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """Return two workers, one with processes and one with threads, and beat. All export spans."""
    baked = bake(
        project_name="Traced",
        framework="fastapi",
        queues="emails:2, reports:1@threads",
        beat_jobs="tick = every 1s -> reports",
        extras="tracing",
    )
    project = baked.copy_to(tmp_path_factory.mktemp("traced"))
    module = project.path / "src/traced/tasks/emails.py"
    text = module.read_text(encoding="utf-8") + FAILING_TASK
    module.write_text("from traced.errors import RetryableError\n" + text, encoding="utf-8")
    variables = {"CELERY_BROKER_URL": redis_server.new_database(), "CELERY_RESULT_BACKEND": redis_server.new_database()}
    with Service(
        project, install_project(project), {**variables, **collector.variables, "LOG_FORMAT": "json"}
    ) as running:
        running.start_all()
        yield running


def wait_for_spans(service: Service, collector: Collector, name: str, number: int = 1) -> list[Any]:
    """Return the received spans with this name in the order of their start, as soon as there are `number`."""
    service.wait_until(lambda: len(collector.spans[name]) >= number)
    return sorted(collector.spans[name], key=lambda span: int(span.start_time_unix_nano))


def test_a_trace_goes_from_the_http_request_to_the_run(
    service: Service, collector: Collector, request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    api = start_api(service)
    api.request("GET", "/health/live")
    api.submit(f"{TASKS}.emails.ping")
    (post,) = wait_for_spans(service, collector, "POST /tasks")
    (publish,) = wait_for_spans(service, collector, f"apply_async/{TASKS}.emails.ping")
    (run,) = wait_for_spans(service, collector, f"run/{TASKS}.emails.ping")

    assert publish.parent_span_id == post.span_id
    assert run.parent_span_id == publish.span_id
    assert run.trace_id == post.trace_id
    assert not [name for name in collector.spans if "health" in name]

    log = service.workers["emails"].wait_for_line("task succeeded", 30)
    line = json.loads(log)
    assert (line["trace_id"], line["span_id"]) == (run.trace_id.hex(), run.span_id.hex())


def test_a_trace_goes_from_beat_to_the_run(service: Service, collector: Collector) -> None:
    runs = wait_for_spans(service, collector, f"run/{TASKS}.reports.tick", 2)
    publishes = wait_for_spans(service, collector, f"apply_async/{TASKS}.reports.tick", 2)

    assert [run.parent_span_id for run in runs[:2]] == [publish.span_id for publish in publishes[:2]]
    assert [publish.parent_span_id for publish in publishes[:2]] == [b"", b""]
    assert len({publish.trace_id for publish in publishes[:2]}) == 2


def test_a_retry_continues_the_trace(service: Service, collector: Collector) -> None:
    service.run_python(f"from {TASKS}.emails import fail_once\nanswer = fail_once.delay().id")
    first, second = wait_for_spans(service, collector, f"run/{TASKS}.emails.fail_once", 2)
    (retry,) = [
        span
        for span in wait_for_spans(service, collector, f"apply_async/{TASKS}.emails.fail_once")
        if span.parent_span_id == first.span_id
    ]

    assert second.parent_span_id == retry.span_id
    assert second.trace_id == first.trace_id


def test_a_pool_process_that_is_replaced_exports_its_last_spans(service: Service, collector: Collector) -> None:
    """The SDK exports once per hour here, so that only the flush at the end of a process exports."""
    (words,) = [words for queue, words in service.commands.items() if queue == "emails"]
    command = [*words, "--max-tasks-per-child=1", "--hostname=replaced@%h"]
    worker = service.start(command, "replaced", OTEL_BSP_SCHEDULE_DELAY="3600000")
    worker.wait_for_line(" ready.", 60)
    service.workers["emails"].terminate()
    service.workers["emails"].wait()
    before = len(collector.spans[f"run/{TASKS}.emails.ping"])
    service.run_python(f"from {TASKS}.emails import ping\nanswer = [ping.delay().id for _ in range(6)]")

    wait_for_spans(service, collector, f"run/{TASKS}.emails.ping", before + 6)


DJANGO_REQUESTS = """
from wsgiref.util import setup_testing_defaults

from traced import tracing
from traced.wsgi import application

answer = []
for path in ("/health/live", "/accounts/login/"):
    request = {}
    setup_testing_defaults(request)
    list(application({**request, "PATH_INFO": path}, lambda status, headers: answer.append(status)))
tracing.flush()
"""


def test_django_exports_a_span_for_each_request_except_health_checks(
    collector: Collector,
    redis_server: Redis,
    bake: Bakery,
    install_project: Callable[..., Environment],
    tmp_path: Path,
) -> None:
    project = bake(project_name="Traced", framework="django", result_backend="none", beat_jobs="", extras="tracing")
    variables = {
        "CELERY_BROKER_URL": redis_server.new_database(),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "traced.settings.development",
        **collector.variables,
    }
    with Service(project.copy_to(tmp_path), install_project(project), variables) as service:
        assert service.run_python(DJANGO_REQUESTS) == ["200 OK", "200 OK"]

    (span,) = [span for name, spans in collector.spans.items() if name.startswith("GET ") for span in spans]
    assert span.name == "GET accounts/login/"
