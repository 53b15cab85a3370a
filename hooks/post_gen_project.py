"""Complete the project that Cookiecutter rendered.

Move the files of the enabled features to their places, write the files that exist once per queue, remove the rest, and
make scripts executable. Cookiecutter renders this file with the answers and runs it in the project directory.
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
QUIET = {{ cookiecutter._output_dir is not defined }}  # cruft renders into temporary directories

FEATURES = Path("_features")
# Cookiecutter copies the folders of disabled features without rendering their paths.
PACKAGE = {{ "{{cookiecutter.project_slug}}" | tojson }}
# The template generates files in these directories and in the root directory.
FOLDERS = tuple(Path(name) for name in ("deploy", "docs", "scripts", "src", "tests"))
# The separator before each file in a template with {queue} in its path.
PART = re.compile(r"^=== (\S+) ===\n", re.MULTILINE)


def move_file(source: Path, target: Path) -> Path:
    """Move a rendered file to its place in the project, unless an existing file is kept. Return the path."""
    if KEEP_EXISTING and target.exists():
        source.unlink()
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
    return target


def apply_features() -> tuple[set[Path], set[Path]]:
    """Move the files of the enabled features to their places. Return their paths and those of disabled features."""
    placed: set[Path] = set()
    unused: set[Path] = set()
    for feature in sorted(FEATURES.iterdir()):
        for path in sorted(path for path in feature.rglob("*") if path.is_file()):
            target = path.relative_to(feature)
            if feature.name in ENABLED:
                placed.add(move_file(path, target))
            else:
                unused.add(Path(target.as_posix().replace(PACKAGE, SLUG)))
    shutil.rmtree(FEATURES)
    return placed, unused


def write_queue_files() -> tuple[set[Path], set[Path]]:
    """Write a file per queue from each path with {queue}. Return the paths of the files and the paths with {queue}."""
    placed: set[Path] = set()
    files = {path for folder in FOLDERS for path in folder.rglob("*") if path.is_file()}
    templates = {path for path in files if "{queue}" in path.as_posix()}
    for template in templates:
        _, *parts = PART.split(template.read_text(encoding="utf-8"))
        for queue, text in zip(parts[::2], parts[1::2]):
            part = template.with_name(f"{template.name}.part")
            part.write_text(text, encoding="utf-8", newline="\n")
            placed.add(move_file(part, Path(template.as_posix().replace("{queue}", queue))))
        template.unlink()
    for folder in {template.parent for template in templates if template.parent.name == "{queue}"}:
        folder.rmdir()
    return placed, templates


def make_scripts_executable() -> None:
    """Set the execute bit of each file that begins with `#!`. Archives and Windows may not preserve it."""
    for path in [*Path().iterdir(), *(path for folder in FOLDERS for path in folder.rglob("*"))]:
        if path.is_file():
            with path.open("rb") as file:
                if file.read(2) == b"#!":
                    path.chmod(path.stat().st_mode | 0o111)


def find_obsolete_files(placed: set[Path], others: set[Path]) -> list[Path]:
    """Return the existing files that the current answers do not generate."""
    patterns = {other for other in others if "{queue}" in other.as_posix()}
    found = {path for path in others - patterns if path.exists()}
    found |= {path for pattern in patterns for path in Path().glob(pattern.as_posix().replace("{queue}", "[a-z]*"))}
    return sorted(found - placed)


def print_summary(others: list[Path]) -> None:
    """Print a summary and the next commands to stderr. Tools such as cruft print diffs to stdout."""
    queues = "1 queue" if QUEUES == 1 else f"{QUEUES} queues"
    jobs = "no beat jobs" if not JOBS else "1 beat job" if JOBS == 1 else f"{JOBS} beat jobs"
    lines = [
        f"Created {SLUG}: {queues} and {jobs} on {BROKER}.",
        "",
        f"    cd {shlex.quote(str(Path.cwd()))}",
        "    make demo    # run it without a broker",
        "    make test    # install it and run its tests",
        "    make up      # start broker, workers and beat in containers",
    ]
    if others:
        lines += ["", "These files do not belong to the current answers. Delete them, except files that you added:"]
        lines += [f"    {path}" for path in others]
    with contextlib.suppress(BrokenPipeError):  # as in `cookiecutter ... 2>&1 | head -1`
        print("\n".join(lines), file=sys.stderr)


feature_files, disabled_files = apply_features()
queue_files, queue_templates = write_queue_files()
make_scripts_executable()
if not QUIET:
    print_summary(find_obsolete_files(feature_files | queue_files, disabled_files | queue_templates))
