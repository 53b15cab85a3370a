"""Finish the project that Cookiecutter has rendered.

Lay the files of the enabled features over the tree, write the files that exist once per queue, remove the rest, and set
the mode of scripts. Cookiecutter renders this file with the answers and runs it in the project's folder.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import sys
from pathlib import Path

ENABLED = {{ plan().enabled_features | tojson }}
SLUG, BROKER = {{ plan().slug | tojson }}, {{ plan().broker.label | tojson }}
QUEUES, JOBS = {{ plan().queues | length }}, {{ plan().jobs | length }}
KEEP_EXISTING = {{ keeps_existing_files() }}  # --skip-if-file-exists
QUIET = {{ cookiecutter._output_dir is not defined }}  # cruft, which renders into temporary folders

FEATURES = Path("_features")
# Cookiecutter copies the folders of the other features without rendering the paths in them.
PACKAGE = {{ "{{cookiecutter.project_slug}}" | tojson }}
# These folders, and the root itself, hold everything that the template generates.
FOLDERS = tuple(Path(name) for name in ("deploy", "docs", "scripts", "src", "tests"))
# The line before each file in a template whose path contains {queue}.
PART = re.compile(r"^=== (\S+) ===\n", re.MULTILINE)


def place(source: Path, target: Path) -> Path:
    """Move a rendered file to its place in the project, and return that place."""
    if KEEP_EXISTING and target.exists():
        source.unlink()
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
    return target


def lay_features() -> tuple[set[Path], set[Path]]:
    """Move the files of the enabled features to their places; return their paths, and those of the other features."""
    placed: set[Path] = set()
    unused: set[Path] = set()
    for feature in sorted(FEATURES.iterdir()):
        for path in sorted(path for path in feature.rglob("*") if path.is_file()):
            target = path.relative_to(feature)
            if feature.name in ENABLED:
                placed.add(place(path, target))
            else:
                unused.add(Path(target.as_posix().replace(PACKAGE, SLUG)))
    shutil.rmtree(FEATURES)
    return placed, unused


def write_queue_files() -> tuple[set[Path], set[Path]]:
    """Write a file per queue from each path with {queue}; return the paths of the files, and those with {queue}."""
    placed: set[Path] = set()
    files = {path for folder in FOLDERS for path in folder.rglob("*") if path.is_file()}
    templates = {path for path in files if "{queue}" in path.as_posix()}
    for template in templates:
        _, *parts = PART.split(template.read_text(encoding="utf-8"))
        for queue, text in zip(parts[::2], parts[1::2]):
            part = template.with_name(f"{template.name}.part")
            part.write_text(text, encoding="utf-8", newline="\n")
            placed.add(place(part, Path(template.as_posix().replace("{queue}", queue))))
        template.unlink()
    for folder in {template.parent for template in templates if template.parent.name == "{queue}"}:
        folder.rmdir()
    return placed, templates


def make_scripts_executable() -> None:
    """Set the execute bit of each file that begins with `#!`: an archive, or Windows, does not keep it."""
    for path in [*Path().iterdir(), *(path for folder in FOLDERS for path in folder.rglob("*"))]:
        if path.is_file():
            with path.open("rb") as file:
                if file.read(2) == b"#!":
                    path.chmod(path.stat().st_mode | 0o111)


def left_over(placed: set[Path], others: set[Path]) -> list[Path]:
    """Return the files in the project that only other answers, or other queues, have."""
    patterns = {other for other in others if "{queue}" in other.as_posix()}
    found = {path for path in others - patterns if path.exists()}
    found |= {path for pattern in patterns for path in Path().glob(pattern.as_posix().replace("{queue}", "[a-z]*"))}
    return sorted(found - placed)


def report(others: list[Path]) -> None:
    """Print what was created and what to do next. It goes to stderr, since tools print diffs to stdout."""
    queues = "1 queue" if QUEUES == 1 else f"{QUEUES} queues"
    jobs = "no beat jobs" if not JOBS else "1 beat job" if JOBS == 1 else f"{JOBS} beat jobs"
    lines = [
        f"Created {SLUG}: {queues} and {jobs} on {BROKER}.",
        "",
        f"    cd {shlex.quote(str(Path.cwd()))}",
        "    make demo    # see it at work, without a broker",
        "    make test    # install it and run its tests",
        "    make up      # broker, workers and beat in containers",
    ]
    if others:
        lines += ["", "These files do not belong to the current answers. Delete those that earlier answers left:"]
        lines += [f"    {path}" for path in others]
    with contextlib.suppress(BrokenPipeError):  # as in `cookiecutter ... 2>&1 | head -1`
        print("\n".join(lines), file=sys.stderr)


feature_files, files_of_others = lay_features()
queue_files, queue_templates = write_queue_files()
make_scripts_executable()
if not QUIET:
    report(left_over(feature_files | queue_files, files_of_others | queue_templates))
