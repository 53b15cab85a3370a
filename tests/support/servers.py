"""The servers of a variant, with unused databases and queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.aws import Sqs
    from tests.support.project import BakedProject


class Servers:
    """All private servers. Each starts at its first use."""

    def __init__(self, get: Callable[[str], Any]) -> None:
        self._get = get

    def variables(self, project: BakedProject) -> dict[str, str]:
        """Return the environment variables with the URLs of a project's servers."""
        variables = {"LOG_FORMAT": "console", **self._broker(project), **self._results(project)}
        if project.answers.get("beat_scheduler") == "redbeat":
            variables["REDBEAT_REDIS_URL"] = self._get("redis_server").new_database()
        return variables

    def _broker(self, project: BakedProject) -> dict[str, str]:
        match broker := project.answers.get("broker", "redis"):
            case "sqs":
                sqs_server: Sqs = self._get("sqs_server")
                return sqs_server.deploy(self.read_template(project)).variables
            case "rabbitmq":
                return {"CELERY_BROKER_URL": self._get("rabbitmq_server").new_vhost()}
            case "redis":
                return {"CELERY_BROKER_URL": self._get("redis_server").new_database()}
        raise NotImplementedError(f"no private server for broker {broker}")

    def _results(self, project: BakedProject) -> dict[str, str]:
        match project.answers.get("result_backend"), project.answers.get("framework"):
            case ("none", _) | ("database", "django"):
                return {}
            case ("database", _):
                return {"CELERY_RESULT_BACKEND": f"db+{self._get('postgres_server').new_database()}"}
        return {"CELERY_RESULT_BACKEND": self._get("redis_server").new_database()}

    @staticmethod
    def read_template(project: BakedProject) -> str:
        """Return the CloudFormation template of a project's queues."""
        return project.read("deploy/aws/queues.yaml")
