"""The pins of the template's own files, which Dependabot updates, are the pins of generated projects."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml

from local_extensions.images import IMAGES
from tests.support.pins import ACTION, PROJECT, SOURCE, WORKFLOWS, find_actions, make_files, read_images
from tests.support.variants import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.rules


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_generated_projects_have_the_pins_of_the_template() -> None:
    outdated = [path.name for path, text in make_files().items() if path.read_text(encoding="utf-8") != text]

    assert not outdated, "run: make pins"


def test_an_action_has_one_pin() -> None:
    own, generated = find_actions(SOURCE), find_actions(WORKFLOWS)

    assert {name: pins for name, pins in own.items() if len(pins) > 1} == {}
    # Dependabot updates an action of generated projects only if a file in .github contains it.
    assert generated.keys() <= own.keys()


@pytest.mark.parametrize("path", [*SOURCE.rglob("*.yml"), *WORKFLOWS.glob("*.yml")], ids=name_of)
def test_each_action_is_pinned_by_its_commit_and_version(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    uses = re.findall(r"^[^#\n]*\buses: (?!\./).*$", text, re.MULTILINE)

    assert len(uses) == len(ACTION.findall(text))


def test_dependabot_reads_each_image_of_generated_projects() -> None:
    assert {image.name: image.pin for image in IMAGES.values()}.items() <= read_images().items()


def test_no_generated_file_contains_another_image() -> None:
    named = re.compile(r"^\s*(?:- )?(?:image|name): [\"']?([\w./-]+:[\w.-]+)", re.MULTILINE)
    found = {
        image
        for folder in (PROJECT, ROOT / "templates")
        for path in folder.rglob("*.y*ml")
        for image in named.findall(path.read_text(encoding="utf-8"))
    }

    assert found == {f"docker:{read_images()['docker']}"}


def test_dependabot_checks_each_folder_with_pins() -> None:
    updates = yaml.safe_load((SOURCE / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    folders = {(update["package-ecosystem"], folder) for update in updates for folder in folders_of(update)}

    assert folders == {
        ("uv", "/"),
        ("pip", "/.github/pins"),
        ("docker-compose", "/.github/pins"),
        ("github-actions", "/"),
        ("github-actions", "/.github/pins"),
        ("devcontainers", "/"),
    }
    assert all((ROOT / folder.lstrip("/")).is_dir() for _, folder in folders)


def folders_of(update: dict[str, object]) -> list[str]:
    folders = update.get("directories", [update.get("directory")])
    assert isinstance(folders, list)
    return folders
