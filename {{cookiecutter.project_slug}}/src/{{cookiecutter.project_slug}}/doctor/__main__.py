"""Looks at the running system and its configuration, and says what is wrong and what to do about it.

    python -m {{ cookiecutter.project_slug }}.doctor
    python -m {{ cookiecutter.project_slug }}.doctor --json

Exit status 1 if there is a failure, else 0. It changes nothing, and it sees what its environment names: run it
where the variables of the workers are set.
"""

import argparse
import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from queue import Empty, SimpleQueue
from threading import Thread

from {{ cookiecutter.project_slug }}.celery_app import app
{% filter one_line_if_short %}
from {{ cookiecutter.project_slug }}.doctor import (
{% if plan().features.beat_remote_control %}
    beat,
{% endif %}
    broker,
    configuration,
{% if plan().features.several_redis_databases %}
    databases,
{% endif %}
{% if plan().features.results %}
    results,
{% endif %}
{% if plan().features.redbeat or plan().features.database_schedule %}
    schedule,
{% endif %}
{% if plan().features.remote_control %}
    workers,
{% endif %}
)
{% endfilter %}
from {{ cookiecutter.project_slug }}.doctor.findings import Finding, Status, failure

Part = Callable[[], Iterable[Finding]]

PARTS: dict[str, Part] = {
    "configuration": configuration.examine,
{% if plan().features.several_redis_databases %}
    "databases": databases.examine,
{% endif %}
{% if plan().features.results %}
    "results": results.examine,
{% endif %}
    "broker": broker.examine,
{% if plan().features.remote_control %}
    "workers": workers.examine,
{% endif %}
{% if plan().features.beat_remote_control %}
    "beat": beat.examine,
{% endif %}
{% if plan().features.redbeat or plan().features.database_schedule %}
    "schedule": schedule.examine,
{% endif %}
}
"""What is examined, in this order."""

DEADLINE = 8.0
"""Seconds that a part may take. A server that is away often answers nothing at all, for a long time."""


def examine(parts: dict[str, Part]) -> list[Finding]:
    """What all parts find; without a broker, what comes after it cannot be seen."""
    findings: list[Finding] = []
    for name, part in parts.items():
        answer = in_time(part)
        if isinstance(answer, list):
            findings += answer
            continue
        what = f"does not answer: {answer}"
        findings.append(failure(name, what, "is it running, and does the environment name it rightly?"))
        if name == "broker":
            break
    return findings


def in_time(part: Part) -> list[Finding] | str:
    """What a part finds within `DEADLINE`, or why it finds nothing."""
    answers: SimpleQueue[list[Finding] | str] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(list(part()))
        except Exception as error:  # brokers' libraries have many
            answers.put(f"{type(error).__name__}: {' '.join(str(error).split())}")  # in one line

    Thread(target=ask, daemon=True).start()  # a daemon, so that nobody waits for it in the end
    try:
        return answers.get(timeout=DEADLINE)
    except Empty:
        return f"nothing came within {DEADLINE:.0f} s"


def table(findings: Sequence[Finding]) -> str:
    """The findings for people: a line each, with what to do below it, and how many there are."""
    width = max(len(finding.check) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.status:<7}  {finding.check:<{width}}  {finding.what}")
        if finding.advice:
            lines.append(f"{'':<7}  {'':<{width}}  -> {finding.advice}")
    numbers = Counter(finding.status for finding in findings)
    lines.append("\n" + ", ".join(f"{status}: {numbers[status]}" for status in Status))
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None, parts: dict[str, Part] = PARTS) -> int:
    """Exit status 1 if there is a failure, else 0."""
    command = argparse.ArgumentParser(prog="doctor", description="What is wrong, and what to do about it.")
    command.add_argument("--json", action="store_true", help="as JSON: a list of findings")
    given = command.parse_args(arguments)
    app.loader.import_default_modules()
    findings = examine(parts)
    print(json.dumps([asdict(finding) for finding in findings], indent=2) if given.json else table(findings))
    return 1 if any(finding.status is Status.FAILURE for finding in findings) else 0


if __name__ == "__main__":
    logging.disable()  # libraries have much to say of a server that is away; we say it in a line
    sys.exit(main())
