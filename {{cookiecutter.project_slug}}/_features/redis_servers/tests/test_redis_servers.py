"""A Redis Cluster and a read-only replica are refused with one line."""

from typing import Any
from unittest.mock import Mock

import pytest
from redis.exceptions import ClusterCrossSlotError, MovedError, ReadOnlyError, ResponseError

from {{ cookiecutter.project_slug }} import redis_servers
from {{ cookiecutter.project_slug }}.redis_servers import CLUSTER, REPLICA, find_problem
{% if plan().features.redis or plan().features.redis_results %}
from {{ cookiecutter.project_slug }}.settings import env
{% endif %}


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (None, None),
        (ReadOnlyError(), REPLICA),
        (ClusterCrossSlotError(), CLUSTER),
        (MovedError("1234 127.0.0.1:6379"), CLUSTER),
        (ResponseError("SELECT is not allowed in cluster mode"), CLUSTER),
    ],
)
def test_an_unusable_server_is_detected_by_its_error(error: Exception | None, problem: str | None) -> None:
    client: Any = Mock()
    client.eval.side_effect = error
    assert find_problem(client) == problem


{% if plan().features.redis %}
def test_a_process_exits_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = {"celery_broker_url": "redis://localhost"}
    monkeypatch.setattr(redis_servers, "env", env.model_copy(update=broker))
    monkeypatch.setattr(redis_servers, "find_broker_problem", lambda: REPLICA)
    with pytest.raises(SystemExit, match=r"^CELERY_BROKER_URL is a read-only replica: use its master\.$"):
        redis_servers.check_servers()


def test_an_unreachable_server_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = {"celery_broker_url": "redis://localhost"}
    monkeypatch.setattr(redis_servers, "env", env.model_copy(update=broker))
    check = Mock(side_effect=ConnectionError)
    monkeypatch.setattr(redis_servers, "find_broker_problem", check)
    redis_servers.check_servers()
    check.assert_called_once()
{% elif plan().features.redis_results %}
def test_a_process_exits_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    results = {"celery_result_backend": "redis://localhost"}
    monkeypatch.setattr(redis_servers, "env", env.model_copy(update=results))
    monkeypatch.setattr(redis_servers, "app", Mock())
    monkeypatch.setattr(redis_servers, "find_problem", lambda _: REPLICA)
    with pytest.raises(SystemExit, match=r"^CELERY_RESULT_BACKEND is a read-only replica: use its master\.$"):
        redis_servers.check_servers()
{% elif plan().features.redbeat %}
def test_beat_exits_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_servers, "find_problem", lambda _: REPLICA)
    redis_servers.check_servers()
    with pytest.raises(SystemExit, match=r"^REDBEAT_REDIS_URL is a read-only replica: use its master\.$"):
        redis_servers.check_servers(redbeat=True)
{% endif %}
