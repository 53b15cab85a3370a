"""`make mutants`: change the code of generated projects, and print each change that their tests do not detect.

Cosmic Ray creates the changes (mutants): a number plus one, True for False, `not` before a condition, a removed
decorator. Each mutant runs the test suite of its project until the first failure, which takes hours in total. An
interrupted run continues. `python -m tests.support.mutants none` tests only the project `none`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cookiecutter.main import cookiecutter

from tests.support.environments import find_uv

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".cache" / "mutants"
COSMIC_RAY = "cosmic-ray==8.7.0"

PROJECTS = {
    "none": {"framework": "none", "broker": "redis"},
    "fastapi": {"framework": "fastapi", "broker": "sqs", "beat_scheduler": "redbeat"},
    "django": {"framework": "django", "broker": "rabbitmq", "result_backend": "database", "beat_scheduler": "database"},
}
SETTINGS = {"django": "settings/celery.py"}
MODULES = [
    "base_task.py",
    "signals.py",
    "commands.py",
    "dead_letters.py",
    "http_dead_letters.py",
    "dead_letter_store.py",
    "schedule.py",
    "doctor.py",
]

CONFIGURATION = """\
[cosmic-ray]
module-path = {modules}
timeout = 180.0
test-command = "python -m pytest -q -x -p no:cacheprovider tests"

[cosmic-ray.distributor]
name = "local"

# The excluded mutants change annotations (`int | None`), or are equivalent to another mutant.
[cosmic-ray.filters.operators-filter]
exclude-operators = [
    "core/ReplaceBinaryOperator_BitOr_.*",
    "core/ReplaceBinaryOperator_Sub_(?!Add).*",
    "core/ReplaceComparisonOperator_.*_(Is|IsNot|LtE|GtE|Gt|Lt)",
]
"""


def main() -> None:
    """Test the mutants of the projects on the command line, or of all projects."""
    variables = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "UV_PYTHON"}}
    for name in sys.argv[1:] or PROJECTS:
        slug = f"mutants_{name}"
        project = FOLDER / slug

        def run(*command: str, folder: Path = project) -> None:
            subprocess.run(command, cwd=folder, env=variables, check=True)

        def cosmic_ray(*command: str) -> None:
            run(find_uv(), "run", "--quiet", "--with", COSMIC_RAY, *command)

        if not (project / "session.sqlite").exists():
            answers = {"project_slug": slug, "python_version": "3.11", **PROJECTS[name]}
            cookiecutter(
                str(ROOT), no_input=True, extra_context=answers, output_dir=str(FOLDER), overwrite_if_exists=True
            )
            package = project / "src" / slug
            modules = [SETTINGS.get(name, "celeryconfig.py"), *MODULES]
            paths = [str((package / module).relative_to(project)) for module in modules if (package / module).exists()]
            (project / "mutants.toml").write_text(CONFIGURATION.format(modules=paths), encoding="utf-8")
            cosmic_ray("pytest", "-q", "tests")  # without a change, all tests must pass
            cosmic_ray("cosmic-ray", "init", "mutants.toml", "session.sqlite")
            cosmic_ray("cr-filter-operators", "session.sqlite", "mutants.toml")
        print(f"{name}: testing mutants", flush=True)
        cosmic_ray("cosmic-ray", "exec", "mutants.toml", "session.sqlite")
        cosmic_ray("cr-report", "--surviving-only", "--show-diff", "session.sqlite")


if __name__ == "__main__":
    main()
