"""TLS to each server: a certificate of another CA or of another host is refused, unless the URL says otherwise."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import count, need
from tests.live.service import Service
from tests.support.brokers import private_rabbitmq, private_redis, rabbitmq_folder, redis_server
from tests.support.postgres import postgres_folder, private_postgres

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
    """A self-signed certificate for this host and one for another, each with its key beside it."""
    need(shutil.which("openssl"), "openssl")
    made = {}
    for name, host in (("own", "IP:127.0.0.1"), ("other", "DNS:other.example")):
        made[name] = tmp_path / f"{name}.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-keyout", str(made[name].with_suffix(".key")), "-out", str(made[name]), "-days", "2"]
        subprocess.run(
            [*command, "-subj", "/CN=test", "-addext", f"subjectAltName={host}"], check=True, capture_output=True
        )
    return made


def connect(service: Service, *clients: str, trusted: Path | None = None) -> dict[str, str]:
    """Return for each client "connected" or its error, with the CAs of the system or those of a file."""
    variables = service.variables | ({"SSL_CERT_FILE": str(trusted)} if trusted else {})
    probe = PROBE.format(clients={name: CLIENTS[name] for name in clients})
    with Service(service.project, service.environment, variables) as other:
        found: dict[str, str] = other.ask(probe)
    return found


def check(service: Service, certificates: dict[str, Path], *clients: str) -> None:
    """Check that the clients connect to `service`, which has the certificate "own", only if they trust it."""
    assert connect(service, *clients, trusted=certificates["own"]) == dict.fromkeys(clients, "connected")
    for name, error in connect(service, *clients).items():
        assert "certificate verify failed" in error, name


def test_redis(
    certificates: dict[str, Path],
    bake: Bakery,
    installed: Callable[..., Environment],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    need(redis_server(), "redis-server")
    count(request, "live")
    baked = bake(project_name="Encrypted", queues="default:1", beat_scheduler="redbeat", beat_jobs="tidy = every 1h")
    project = baked.copy_to(tmp_path / "project")
    environment = installed(project)
    clients = ("broker", "results", "redbeat")
    for name, certificate in certificates.items():
        options = ["--tls-cert-file", certificate, "--tls-key-file", certificate.with_suffix(".key")]
        options += ["--tls-ca-cert-file", certificate, "--tls-auth-clients", "no"]
        with private_redis(tmp_path / name, *map(str, options)) as redis:
            variables = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "REDBEAT_REDIS_URL")
            urls = {variable: redis.new_database() for variable in variables}
            service = Service(project, environment, {"LOG_FORMAT": "console", **urls})
            if name == "own":
                check(service, certificates, *clients)
                with Service(project, environment, service.variables | {"SSL_CERT_FILE": str(certificate)}) as trusting:
                    trusting.start_worker("default")
                    result = "from encrypted.tasks.default import ping\nanswer = ping.delay().get(timeout=20)"
                    assert trusting.ask(result) == "pong"
                    rows = [line.split() for line in trusting.diagnose().stdout.splitlines()]
                    assert ["encryption", "ok"] in rows
                    assert ["broker", "ok"] in rows
                assert "CERTIFICATE_VERIFY_FAILED" in service.diagnose().stdout
            else:
                for client, error in connect(service, *clients, trusted=certificate).items():
                    assert "IP address mismatch" in error, client
                off = {variable: f"{url}?ssl_cert_reqs=none" for variable, url in urls.items()}
                with Service(project, environment, service.variables | off) as open_to_all:
                    assert connect(open_to_all, *clients) == dict.fromkeys(clients, "connected")
                    doctor = open_to_all.diagnose().stdout
                    worker = open_to_all.start_worker("default")
                    for variable in variables:
                        assert f"{variable}: the server is not verified" in doctor
                        assert f"variable={variable}" in worker.output


def test_rabbitmq_and_postgresql(
    certificates: dict[str, Path],
    bake: Bakery,
    installed: Callable[..., Environment],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    need(rabbitmq_folder(), "rabbitmq-server")
    need(postgres_folder(), "postgresql")
    count(request, "live")
    answers = {"broker": "rabbitmq", "result_backend": "database", "queues": "default:1", "beat_jobs": ""}
    project = bake(project_name="Encrypted", **answers).copy_to(tmp_path / "project")
    environment = installed(project)
    own = certificates["own"]
    tls = {"certfile": own, "keyfile": own.with_suffix(".key"), "cacertfile": own}
    with private_rabbitmq(tmp_path / "rabbitmq", **tls) as rabbitmq, private_postgres() as postgres:
        postgres.encrypt(own)
        urls = {
            "CELERY_BROKER_URL": rabbitmq.new_vhost(),
            "CELERY_RESULT_BACKEND": f"db+{postgres.new_database()}&sslmode=verify-full",
        }
        with Service(project, environment, urls) as service:
            check(service, certificates, "broker", "database")
            # By another name of the same host, which is not in the certificate.
            named = {variable: url.replace("127.0.0.1", "localhost") for variable, url in urls.items()}
            with Service(project, environment, named) as other:
                found = connect(other, "broker", "database", trusted=own)
                assert "Hostname mismatch" in found["broker"]
                assert "does not match host name" in found["database"]
            off = {"CELERY_BROKER_URL": f"{urls['CELERY_BROKER_URL']}?ssl_cert_reqs=none"}
            with Service(project, environment, urls | off) as open_to_all:
                assert connect(open_to_all, "broker") == {"broker": "connected"}
                assert "CELERY_BROKER_URL does not verify the server" in open_to_all.diagnose().stdout
