"""Copy the template's pins to the files of generated projects: python -m tests.support.pins.

Dependabot updates the files in `.github` and `.devcontainer`. It cannot read the files of generated projects, because
they contain Jinja.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tests.support.variants import ROOT

SOURCE = ROOT / ".github"
PROJECT = ROOT / "{{cookiecutter.project_slug}}"
WORKFLOWS = PROJECT / "_features" / "github" / ".github" / "workflows"
ACTION = re.compile(r"uses: ([\w./-]+)@([0-9a-f]{40} # v[\d.]+)$", re.MULTILINE)


def find_actions(folder: Path) -> dict[str, set[str]]:
    """Return the pins of each action in the YAML files of a directory."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*.yml")):
        for name, pin in ACTION.findall(path.read_text(encoding="utf-8")):
            found.setdefault(name, set()).add(pin)
    return found


def read_images() -> dict[str, str]:
    """Return the tag of each image in `.github/pins/compose.yaml`, with its digest if it has one."""
    services = yaml.safe_load((SOURCE / "pins" / "compose.yaml").read_text(encoding="utf-8"))["services"]
    return dict(service["image"].split(":", 1) for service in services.values())


def read_uv_version() -> str:
    """Return the version of uv in `.github/pins/requirements.txt`."""
    text = (SOURCE / "pins" / "requirements.txt").read_text(encoding="utf-8")
    (version,) = re.findall(r"^uv==(\S+)$", text, re.MULTILINE)
    return str(version)


def replace(path: Path, *replacements: tuple[str, str]) -> tuple[Path, str]:
    """Return a file's text with each pattern replaced.

    Raises:
        AssertionError: A pattern does not occur.
    """
    text = path.read_text(encoding="utf-8")
    for pattern, replacement in replacements:
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        assert count, f"{path} does not contain {pattern}"
    return path, text


def make_files() -> dict[Path, str]:
    """Return the text of each file of the template that contains a copy of a pin."""
    images, uv = read_images(), read_uv_version()
    major, minor, *_ = uv.split(".")
    backend = f"uv_build>={major}.{minor},<{major}.{int(minor) + 1}"
    own = {name: next(iter(pins)) for name, pins in find_actions(SOURCE).items()}
    docker, grype = images.pop("docker"), images.pop("anchore/grype")
    container = Path(".devcontainer", "devcontainer.json")
    (feature,) = re.findall(r"features/docker-in-docker:\d+", (ROOT / container).read_text(encoding="utf-8"))
    files = [
        replace(PROJECT / "deploy" / "uv" / "requirements.txt", (r"^uv==.*$", f"uv=={uv}")),
        replace(PROJECT / container, (r"features/docker-in-docker:\d+", feature)),
        replace(PROJECT / "pyproject.toml", (r"uv_build>=[^\"]*", backend)),
        replace(
            PROJECT / "_features" / "gitlab" / ".gitlab-ci.yml",
            (r"\bdocker:\d[\w.]*", f"docker:{docker}"),
            (r"GRYPE: .*$", f"GRYPE: anchore/grype:{grype}"),
        ),
        replace(
            ROOT / "local_extensions" / "images.py",
            *((rf'("{re.escape(name)}",\n +)".*"', rf'\1"{tag}"') for name, tag in images.items()),
        ),
    ]
    for path in sorted(WORKFLOWS.glob("*.yml")):
        used = {name for name, _ in ACTION.findall(path.read_text(encoding="utf-8"))} & own.keys()
        files.append(
            replace(path, *((rf"uses: {re.escape(name)}@.*$", f"uses: {name}@{own[name]}") for name in sorted(used)))
        )
    return dict(files)


if __name__ == "__main__":
    for path, text in make_files().items():
        path.write_text(text, encoding="utf-8")
