"""Django's system checks of Celery: `manage.py check --tag celery`. They connect to no server."""

from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register

from {{ cookiecutter.project_slug }}.queues import TASK_ROUTES, QueueName

IDS = {
    "encryption": "celery.W001",
    "acknowledgement": "celery.W002",
{% if plan().features.several_redis_databases %}
    "databases": "celery.W003",
{% endif %}
}
"""The id of the warnings of each check of the doctor that needs no server."""


@register("celery")
def check_routes(**_: Any) -> list[CheckMessage]:
    """Report routes to a queue that does not exist. Publishing their tasks fails."""
    queues = set(QueueName)
    return [
        Error(
            f"the queue {route['queue']} of the route {pattern} does not exist",
            hint=f"Use one of {', '.join(QueueName)}.",
            id="celery.E001",
        )
        for pattern, route in TASK_ROUTES.items()
        if route["queue"] not in queues
    ]


@register("celery")
def run_doctor(**_: Any) -> list[CheckMessage]:
    """Run the doctor's checks that need no server."""
    from {{ cookiecutter.project_slug }} import doctor  # not at the top: HTTP processes do not need it

    messages: list[CheckMessage] = []
    for finding in doctor.run(doctor.CHECKS):
        if finding["status"] == "failure":
            problem, _colon, advice = finding["detail"].rpartition(": ")
            hint = f"{advice[:1].upper()}{advice[1:]}."
            messages.append(Warning(problem, hint=hint, id=IDS[finding["check"]]))
    return messages
