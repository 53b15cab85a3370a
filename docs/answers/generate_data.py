"""`make answers-page`: write data.js, the questions, choices and limits of the template for the page in this folder.

`tests/test_page.py` fails if data.js is not current.
"""

from __future__ import annotations

import json
import keyword
import re
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from local_extensions import answers, arguments, beat, cron, names, queues, schedules
from local_extensions.catalogue import BROKERS, EXTRAS, POOLS, SCHEDULERS, UNSUPPORTED
from local_extensions.errors import EXAMPLES, MAX_PIECE_LENGTH

HERE = Path(__file__).resolve().parent
DATA = HERE / "data.js"
REFERENCE = HERE.parent / "questions.md"
QUESTIONS_HEADER = ("question", "valid answers", "default", "effect on the project")


def main() -> None:
    """Write data.js."""
    DATA.write_text(format_data(), encoding="utf-8")


def format_data() -> str:
    """Return the content of data.js. It is the same on all supported Python versions."""
    data = json.dumps(collect_data(), indent=2, ensure_ascii=False)
    return f'"use strict";\n\n// Generated from the template by `make answers-page`.\nconst TEMPLATE = {data};\n'


def collect_data() -> dict[str, Any]:
    """Return the values that the parsers of the page use, named as in the Python modules."""
    return {
        "questions": collect_questions(),
        "examples": EXAMPLES,
        "extras": collect_extras(),
        "unsupported": [
            {
                "answers": each.answers,
                "reason": each.reason,
                "alternative": each.alternative,
                "maxTaskTimeLimit": each.max_task_time_limit,
            }
            for each in UNSUPPORTED
        ],
        "maxQueuesOfBroker": {broker.name: broker.max_queues for broker in BROKERS if broker.max_queues},
        "schedulersWithoutSolar": [scheduler.name for scheduler in SCHEDULERS if not scheduler.solar],
        "pools": [{"name": pool.name, "label": pool.label, "concurrency": pool.concurrency} for pool in POOLS],
        "limits": {
            "pieceLength": MAX_PIECE_LENGTH,
            "textLengths": answers.MAX_TEXT_LENGTHS,
            "taskTimeLimit": answers.MAX_TASK_TIME_LIMIT,
            "slugLength": names.MAX_SLUG_LENGTH,
            "nameLength": names.MAX_NAME_LENGTH,
            "queues": queues.MAX_QUEUES,
            "concurrency": queues.MAX_CONCURRENCY,
            "jobs": beat.MAX_JOBS,
            "jobLength": beat.MAX_JOB_LENGTH,
            "depth": arguments.MAX_DEPTH,
            "integer": str(arguments.MAX_INTEGER),  # JavaScript's numbers have 53 bits
            "interval": schedules.MAX_INTERVAL,
            "descriptionLength": schedules.MAX_DESCRIPTION_LENGTH,
        },
        "words": {"true": sorted(answers.TRUE_WORDS), "false": sorted(answers.FALSE_WORDS)},
        "patterns": {
            "forbiddenCharacters": answers.FORBIDDEN_CHARACTERS.pattern,
            "timezone": answers.TIMEZONE_PATTERN.pattern,
            "email": answers.EMAIL_PATTERN.pattern,
        },
        "cron": {
            "fields": [{**asdict(field), "names": list(field.names)} for field in cron.FIELDS],
            "numbersByName": cron.NUMBERS_BY_NAME,
            "daysInMonth": cron.DAYS_IN_MONTH,
        },
        "schedules": {
            "nicknames": schedules.NICKNAMES,
            "units": {letter: {"name": name, "seconds": size} for letter, (name, size) in schedules.UNITS.items()},
            "solarEvents": schedules.SOLAR_EVENTS,
            "monthNames": schedules.MONTH_NAMES,
            "weekdayNames": schedules.WEEKDAY_NAMES,
            "examples": {cell(schedule): words for schedule, words in read_table("schedule", "runs")},
        },
        "names": {
            "keywords": keyword.kwlist,
            "slugKeywords": sorted(filter(is_lowercase, names.SLUG_KEYWORDS)),
            "stdlibModules": sorted(filter(is_lowercase, names.STDLIB_MODULES)),
            "dependencies": sorted(names.DEPENDENCIES),
            "projectFolders": sorted(names.PROJECT_FOLDERS),
            "taskModuleNames": sorted(names.TASK_MODULE_NAMES),
            "builtins": sorted(filter(is_lowercase, names.BUILTINS)),
            "reservedParameterNames": names.RESERVED_PARAMETER_NAMES,
        },
        # The package tzdata is in uv.lock. The names on this machine may be older or newer.
        "timezones": resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split(),
    }


def collect_extras() -> list[dict[str, str]]:
    """Return the extras, with their descriptions in the effect of the question in docs/questions.md."""
    effect = next(row[-1] for row in read_table(*QUESTIONS_HEADER) if cell(row[0]) == "extras")
    names = "|".join(extra.name for extra in EXTRAS)
    _, *parts = re.split(rf"`({names})`: ", effect)
    labels = dict(zip(parts[::2], parts[1::2], strict=True))
    return [{"name": extra.name, "label": labels[extra.name].strip(" .")} for extra in EXTRAS]


def collect_questions() -> list[dict[str, Any]]:
    """Return the questions in order, with the prompts of cookiecutter.json and the effects of docs/questions.md."""
    effects = {cell(question): effect for question, *_, effect in read_table(*QUESTIONS_HEADER)}
    found = []
    for name in answers.QUESTION_NAMES:
        prompt, default = answers.QUESTIONS["__prompts__"][name], answers.QUESTIONS[name]
        question = {"name": name, "label": prompt, "default": default, "help": effects[name]}
        if isinstance(default, list):
            question |= {
                "label": prompt["__prompt__"],
                "default": default[0],
                # At a terminal, the choice precedes its description.
                "choices": [
                    {"name": choice, "label": prompt[choice].removeprefix(choice).strip().removeprefix("- ")}
                    for choice in default
                ],
            }
        found.append(question)
    return found


def read_table(*header: str) -> list[list[str]]:
    """Return the rows of the table in docs/questions.md with this header, each as a list of cells.

    Raises:
        ValueError: There is no such table.
    """
    title = re.escape(f"| {' | '.join(header)} |")
    table = re.search(rf"^{title}\n\|[-|]+\n((?:\| .*\n)+)", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE)
    if table is None:
        raise ValueError(f"docs/questions.md has no table with the header {title}")
    return [line.strip("| ").split(" | ") for line in table[1].splitlines()]


def cell(text: str) -> str:
    """Return the text of a table cell without the marks of code."""
    return text.strip("`")


def is_lowercase(name: str) -> bool:
    """Return whether a name has only lowercase letters. Others are refused for their letters."""
    return re.fullmatch(r"[a-z][a-z0-9_]*", name) is not None


if __name__ == "__main__":
    main()
