"""The features of a project and the answers that enable them.

The files of a feature are in `{{cookiecutter.project_slug}}/_features/<feature>/`. Templates test
`plan().features.<feature>`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def make_feature_table(
    answers: Mapping[str, str],
    flags: Mapping[str, bool],
    *,
    extras: Collection[str],
    beat: bool,
    several_redis_databases: bool,
) -> dict[str, bool]:
    """Return whether each feature is enabled, by its name.

    Args:
        answers: The name of the choice for each choice question.
        flags: The answer to each boolean question. Each is a feature with the name of the question.
        extras: The names of the selected extras.
        beat: Whether the project has periodic tasks.
        several_redis_databases: Whether the project uses more than one Redis database.
    """
    examples, monitoring, kubernetes = flags["examples"], flags["monitoring"], flags["kubernetes"]
    framework, broker, scheduler = answers["framework"], answers["broker"], answers["beat_scheduler"]
    django, fastapi = framework == "django", framework == "fastapi"
    redis, rabbitmq, sqs = broker == "redis", broker == "rabbitmq", broker == "sqs"
    http_api = django or fastapi
    results = answers["result_backend"] != "none"
    remote_control = redis or rabbitmq
    history, outbox = "history" in extras, "outbox" in extras
    return {
        **flags,
        # framework
        "worker_only": framework == "none",
        "fastapi": fastapi,
        "django": django,
        "celeryconfig": not django,
        "http_api": http_api,
        # broker
        "redis": redis,
        "rabbitmq": rabbitmq,
        "sqs": sqs,
        "failed_tasks": redis or sqs,  # workers publish dead letters; with RabbitMQ, the broker does
        "queue_lengths": http_api or monitoring,
        "several_redis_databases": several_redis_databases,
        # results
        "results": results,
        "redis_results": answers["result_backend"] == "redis",
        "database_results": answers["result_backend"] == "database" and not django,
        "django_results": answers["result_backend"] == "database" and django,
        "fastapi_database": fastapi and answers["result_backend"] == "database",
        "task_tracking": http_api and results,
        "stop_requests": results and (http_api or examples),
        "fastapi_tracking": fastapi and results,
        "fastapi_submission": fastapi and not results,
        "django_tracking": django and results,
        "django_submission": django and not results,
        # beat
        "beat": beat,
        "file_schedule": beat and scheduler == "file",
        "redbeat": beat and scheduler == "redbeat",
        "database_schedule": beat and scheduler == "database",
        "beat_remote_control": beat and scheduler != "redbeat" and remote_control,
        "periodic_tasks": beat and (http_api or history),
        "redis_servers": redis or answers["result_backend"] == "redis" or (beat and scheduler == "redbeat"),
        "session_cleanup": beat and django,
        # examples
        "redis_examples": examples and "redis" in (broker, answers["result_backend"]),
        "result_examples": examples and results,
        "cancellation_examples": examples and results and http_api,
        # monitoring
        "flower": monitoring and remote_control,
        "beat_metrics": monitoring and beat,
        "http_metrics": monitoring and http_api,
        "redis_metrics": monitoring and redis,
        "rabbitmq_metrics": monitoring and rabbitmq,
        "sqs_metrics": monitoring and sqs,
        "oldest_message_age": monitoring and redis,
        "dead_letter_metrics": monitoring and (redis or rabbitmq),
        # extras
        "tracing": "tracing" in extras,
        "history": history,
        "history_django": history and django,
        "history_sqlalchemy": history and not django,
        "history_fastapi": history and fastapi,
        "control": history,
        "control_django": history and django,
        "control_sqlalchemy": history and not django,
        "control_fastapi": history and fastapi,
        "control_schedule": history and beat and scheduler != "database",
        "outbox": outbox,
        "outbox_django": outbox and django,
        "outbox_sqlalchemy": outbox and not django,
        "outbox_metrics": monitoring and outbox,
        "limits": "limits" in extras,
        # deployment
        "kubernetes_django": kubernetes and django,
        "kubernetes_fastapi": kubernetes and fastapi,
        "kubernetes_redis": kubernetes and redis,
        "kubernetes_sqs": kubernetes and sqs,
        "kubernetes_beat": kubernetes and beat,
        "kubernetes_outbox": kubernetes and outbox,
        "kubernetes_monitoring": kubernetes and monitoring,
        "github": answers["ci"] == "github",
        "gitlab": answers["ci"] == "gitlab",
        "without_ci": answers["ci"] == "none",
        # license
        "mit_license": answers["license"] == "MIT",
        "apache_license": answers["license"] == "Apache-2.0",
        "proprietary_license": answers["license"] == "Proprietary",
    }
