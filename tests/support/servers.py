"""The servers that a variant needs, each with databases and queues that nobody has used yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.aws import Sqs
    from tests.support.project import BakedProject


class Servers:
    """All servers of this machine; each starts when a variant needs it first."""

    def __init__(self, get: Callable[[str], Any]) -> None:
        self._get = get

    def variables(self, project: BakedProject) -> dict[str, str]:
        """The environment variables that name a project's servers; what was not answered has its default."""
        named = {"LOG_FORMAT": "console", **self._broker(project), **self._results(project)}
        if project.answers.get("beat_scheduler") == "redbeat":
            named["REDBEAT_REDIS_URL"] = self._get("redis").new_database()
        return named

    def _broker(self, project: BakedProject) -> dict[str, str]:
        match broker := project.answers.get("broker", "redis"):
            case "sqs":
                sqs: Sqs = self._get("sqs")
                return sqs.deploy(self.template(project)).variables
            case "rabbitmq":
                return {"CELERY_BROKER_URL": self._get("rabbitmq").new_vhost()}
            case "redis":
                return {"CELERY_BROKER_URL": self._get("redis").new_database()}
        raise NotImplementedError(f"no private server for broker {broker}")

    def _results(self, project: BakedProject) -> dict[str, str]:
        match project.answers.get("result_backend"), project.answers.get("framework"):
            case ("none", _) | ("database", "django"):
                return {}
            case ("database", _):
                return {"CELERY_RESULT_BACKEND": f"db+{self._get('postgres').new_database()}"}
        return {"CELERY_RESULT_BACKEND": self._get("redis").new_database()}

    @staticmethod
    def template(project: BakedProject) -> str:
        """The text that makes its queues on AWS."""
        return project.read("deploy/aws/queues.yaml")
