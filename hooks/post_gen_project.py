"""Finish the project that Cookiecutter has rendered.

Lay the files of the enabled features over the tree, write the files that exist once per queue, remove the rest, and set
the mode of scripts. Cookiecutter renders this file with the answers and runs it in the project's folder.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

ENABLED = {{ plan().features | select_enabled | tojson }}
SUMMARY = {{ plan().summary | tojson }}
KEEP_EXISTING = {{ keeps_existing_files() }}  # --skip-if-file-exists

FEATURES = Path("_features")
# These folders and the root contain everything that the template generates.
FOLDERS = tuple(Path(name) for name in ("deploy", "docs", "scripts", "src", "tests"))
# Before each file in a template whose name contains {queue}.
PART = re.compile(r"^=== (\S+) ===\n", re.MULTILINE)


def place(source: Path, target: Path) -> None:
    """Move a rendered file to its place in the project."""
    if KEEP_EXISTING and target.exists():
        source.unlink()
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def lay_features() -> None:
    """Move the files of the enabled features to their places, and remove the others."""
    for feature in sorted(ENABLED):
        folder = FEATURES / feature
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            place(path, path.relative_to(folder))
    shutil.rmtree(FEATURES)


def write_queue_files() -> None:
    """Write the files that exist once per queue: `worker-{queue}.env` contains one file for each queue."""
    for template in [path for folder in FOLDERS for path in folder.rglob("*{queue}*")]:
        _, *parts = PART.split(template.read_text(encoding="utf-8"))
        for queue, text in zip(parts[::2], parts[1::2]):
            part = template.with_name(template.name + ".part")
            part.write_text(text, encoding="utf-8", newline="\n")
            place(part, template.with_name(template.name.replace("{queue}", queue)))
        template.unlink()


def set_modes() -> None:
    """Make scripts executable. A template from a zip archive, or from Windows, has no execute bits."""
    paths = [*Path().iterdir(), *(path for folder in FOLDERS for path in folder.rglob("*"))]
    for path in paths:
        if path.is_file():
            with path.open("rb") as file:
                if file.read(2) == b"#!":
                    path.chmod(path.stat().st_mode | 0o111)


lay_features()
write_queue_files()
set_modes()
print(SUMMARY, file=sys.stderr)
