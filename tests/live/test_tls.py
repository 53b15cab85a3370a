"""TLS to each server. Certificates of another CA or host are refused, unless the URL disables the verification."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import count, require_program
from tests.live.service import Service
from tests.support.brokers import find_rabbitmq_programs, find_redis_server, run_rabbitmq, run_redis
from tests.support.postgres import find_postgres_programs, run_postgres

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("tls")]

CLIENTS = {
    "broker": "app.connection_for_write().ensure_connection(max_retries=1, interval_start=0)",
    "results": "app.backend.client.ping()",
    "redbeat": "__import__('redbeat.schedulers').schedulers.get_redis(app).ping()",
    "database": "app.backend.ResultSession().connection()",
}
PROBE = """
from encrypted.celery_app import app
app.conf.get("redbeat_redis_options", {{}}).pop("retry_period", None)  # a minute
answer = {{}}
for name, client in {clients!r}.items():
    try:
        eval(client)
        answer[name] = "connected"
    except Exception as error:
        answer[name] = str(error)
"""


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, Path]:
    """Return a self-signed certificate for this host and one for another host. Keys are in the same folder."""
    require_program(shutil.which("openssl"), "openssl")
    paths = {}
    for name, host in (("own", "IP:127.0.0.1"), ("other", "DNS:other.example")):
        paths[name] = tmp_path / f"{name}.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-keyout", str(paths[name].with_suffix(".key")), "-out", str(paths[name]), "-days", "2"]
        subprocess.run(
            [*command, "-subj", "/CN=test", "-addext", f"subjectAltName={host}"], check=True, capture_output=True
        )
    return paths


def connect(service: Service, *clients: str, trusted: Path | None = None) -> dict[str, str]:
    """Return "connected" or the error for each client, with the system's CAs or those of a file."""
    variables = service.variables | ({"SSL_CERT_FILE": str(trusted)} if trusted else {})
    probe = PROBE.format(clients={name: CLIENTS[name] for name in clients})
    with Service(service.project, service.environment, variables) as other:
        found: dict[str, str] = other.run_python(probe)
    return found


def assert_verifies(service: Service, certificates: dict[str, Path], *clients: str) -> None:
    """Assert that the clients connect to `service`, which has the certificate "own", only if they trust it."""
    assert connect(service, *clients, trusted=certificates["own"]) == dict.fromkeys(clients, "connected")
    for name, error in connect(service, *clients).items():
        assert "certificate verify failed" in error, name


def test_redis_clients_verify_the_certificate(
    certificates: dict[str, Path],
    bake: Bakery,
    install_project: Callable[..., Environment],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    require_program(find_redis_server(), "redis-server")
    count(request, "live")
    baked = bake(project_name="Encrypted", queues="default:1", beat_scheduler="redbeat", beat_jobs="tidy = every 1h")
    project = baked.copy_to(tmp_path / "project")
    environment = install_project(project)
    clients = ("broker", "results", "redbeat")
    for name, certificate in certificates.items():
        options = ["--tls-cert-file", certificate, "--tls-key-file", certificate.with_suffix(".key")]
        options += ["--tls-ca-cert-file", certificate, "--tls-auth-clients", "no"]
        with run_redis(tmp_path / name, *map(str, options)) as redis_server:
            variables = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "REDBEAT_REDIS_URL")
            urls = {variable: redis_server.new_database() for variable in variables}
            service = Service(project, environment, {"LOG_FORMAT": "console", **urls})
            if name == "own":
                assert_verifies(service, certificates, *clients)
                with Service(project, environment, service.variables | {"SSL_CERT_FILE": str(certificate)}) as verified:
                    verified.start_worker("default")
                    result = "from encrypted.tasks.default import ping\nanswer = ping.delay().get(timeout=20)"
                    assert verified.run_python(result) == "pong"
                    rows = [line.split() for line in verified.diagnose().stdout.splitlines()]
                    assert ["encryption", "ok"] in rows
                    assert ["broker", "ok"] in rows
                assert "CERTIFICATE_VERIFY_FAILED" in service.diagnose().stdout
            else:
                for client, error in connect(service, *clients, trusted=certificate).items():
                    assert "IP address mismatch" in error, client
                off = {variable: f"{url}?ssl_cert_reqs=none" for variable, url in urls.items()}
                with Service(project, environment, service.variables | off) as unverified:
                    assert connect(unverified, *clients) == dict.fromkeys(clients, "connected")
                    doctor = unverified.diagnose().stdout
                    worker = unverified.start_worker("default")
                    for variable in variables:
                        assert f"{variable}: the server is not verified" in doctor
                        assert f"variable={variable}" in worker.output


def test_rabbitmq_and_postgresql_clients_verify_the_certificate(
    certificates: dict[str, Path],
    bake: Bakery,
    install_project: Callable[..., Environment],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    require_program(find_rabbitmq_programs(), "rabbitmq-server")
    require_program(find_postgres_programs(), "postgresql")
    count(request, "live")
    answers = {"broker": "rabbitmq", "result_backend": "database", "queues": "default:1", "beat_jobs": ""}
    project = bake(project_name="Encrypted", **answers).copy_to(tmp_path / "project")
    environment = install_project(project)
    own = certificates["own"]
    tls = {"certfile": own, "keyfile": own.with_suffix(".key"), "cacertfile": own}
    with run_rabbitmq(tmp_path / "rabbitmq", **tls) as rabbitmq_server, run_postgres() as postgres_server:
        postgres_server.restart_with_tls(own)
        urls = {
            "CELERY_BROKER_URL": rabbitmq_server.new_vhost(),
            "CELERY_RESULT_BACKEND": f"db+{postgres_server.new_database()}&sslmode=verify-full",
        }
        with Service(project, environment, urls) as service:
            assert_verifies(service, certificates, "broker", "database")
            # Another name of the host, which is not in the certificate.
            by_name = {variable: url.replace("127.0.0.1", "localhost") for variable, url in urls.items()}
            with Service(project, environment, by_name) as other:
                found = connect(other, "broker", "database", trusted=own)
                assert "Hostname mismatch" in found["broker"]
                assert "does not match host name" in found["database"]
            off = {"CELERY_BROKER_URL": f"{urls['CELERY_BROKER_URL']}?ssl_cert_reqs=none"}
            with Service(project, environment, urls | off) as unverified:
                assert connect(unverified, "broker") == {"broker": "connected"}
                assert "CELERY_BROKER_URL: the server is not verified" in unverified.diagnose().stdout
