"""Generation: the hook, Cookiecutter's options, archives and several checkouts."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.owner import OWNER_PROJECTS, bake_without_and_with_queue, count_added_lines
from tests.support.variants import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bakery import Bakery

pytestmark = pytest.mark.usefixtures("home")

SCRIPTS = {"deploy/systemd/install.sh", "manage.py"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an empty home directory without Cookiecutter settings and replays."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("COOKIECUTTER_CONFIG", raising=False)
    return home


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the template's tracked and new files."""
    return copy_template(tmp_path / "checkout")


def copy_template(folder: Path) -> Path:
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in names.split("\0"):
        if name and not name.startswith(("tests/", "docs/")) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def cookiecutter(
    template: Path, output: Path, *arguments: str, check: bool = True, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the `cookiecutter` command."""
    output.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "cookiecutter", str(template), f"--output-dir={output}", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=check,
        timeout=120,
        cwd=output,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **variables},
        stdin=subprocess.DEVNULL,
    )


def contents(project: Path) -> dict[str, bytes]:
    return {path.relative_to(project).as_posix(): path.read_bytes() for path in project.rglob("*") if path.is_file()}


def scripts(project: Path) -> set[str]:
    files = (path for path in project.rglob("*") if path.is_file())
    return {path.relative_to(project).as_posix() for path in files if path.stat().st_mode & stat.S_IXUSR}


def parse_listed_files(completed: subprocess.CompletedProcess[str]) -> set[str]:
    """Return the obsolete files that the summary lists."""
    _, _, files = completed.stderr.partition("These files do not belong to the current answers.")
    return {line.strip() for line in files.splitlines()[1:]}


def test_a_project_contains_no_template_files(tmp_path: Path) -> None:
    cookiecutter(ROOT, tmp_path / "out", "--no-input", "project_slug=shop", "framework=django", "kubernetes=true")

    names = contents(tmp_path / "out" / "shop")
    assert not [name for name in names if "_features" in name or "{" in name or name.endswith(".part")]
    assert not (tmp_path / "out" / "shop" / "_features").exists()


def test_the_summary_on_stderr_contains_the_project_and_the_next_commands(tmp_path: Path) -> None:
    completed = cookiecutter(ROOT, tmp_path / "out", "--no-input", "project_slug=shop", "queues=a:1", "beat_jobs=")

    assert completed.stdout == ""
    assert completed.stderr.startswith("Created shop: 1 queue and no beat jobs on Redis.\n")
    assert f"cd {tmp_path / 'out' / 'shop'}\n" in completed.stderr
    assert parse_listed_files(completed) == set()


def test_the_same_answers_restore_a_project(tmp_path: Path) -> None:
    arguments = ["--no-input", "project_slug=shop", "framework=django", "kubernetes=true"]
    cookiecutter(ROOT, tmp_path / "out", *arguments)
    project = tmp_path / "out" / "shop"
    before = contents(project)
    (project / "manage.py").write_text("edited\n", encoding="utf-8")
    (project / "src" / "shop" / "tasks" / "default.py").unlink()

    completed = cookiecutter(ROOT, tmp_path / "out", *arguments, "-f")

    assert contents(project) == before
    assert parse_listed_files(completed) == set()


def test_skip_if_file_exists_keeps_all_kinds_of_files(tmp_path: Path) -> None:
    arguments = ["--no-input", "project_slug=shop", "framework=django"]
    cookiecutter(ROOT, tmp_path / "out", *arguments)
    project = tmp_path / "out" / "shop"
    kept = ["README.md", "manage.py", "src/shop/tasks/default.py", "deploy/systemd/shop-worker-default@.service"]
    for name in kept:
        (project / name).write_text("edited\n", encoding="utf-8")
    removed = ["Makefile", "src/shop/wsgi.py", "tests/tasks/test_default.py"]
    for name in removed:
        (project / name).unlink()

    cookiecutter(ROOT, tmp_path / "out", *arguments, "-f", "-s")

    assert [(project / name).read_text(encoding="utf-8") for name in kept] == ["edited\n"] * len(kept)
    assert all((project / name).read_text(encoding="utf-8") for name in removed)
    assert not (project / "_features").exists()


@pytest.mark.parametrize(
    ("old", "new", "examples"),
    [
        (
            ["framework=django", "queues=web-hooks:2, mails:1", "beat_jobs=tidy = @daily", "kubernetes=true"],
            ["framework=none", "queues=mails:1", "beat_jobs="],
            {"manage.py", "src/shop/tasks/web_hooks.py", "deploy/kubernetes/workers/web-hooks/kustomization.yaml"},
        ),
        (
            ["broker=redis", "ci=github", "extras=tracing", "queues=a:1, b:1", "beat_jobs=tidy = @daily -> b"],
            ["broker=rabbitmq", "ci=gitlab", "monitoring=false", "queues=a:1, b:1", "beat_jobs=tidy = @daily -> a"],
            {"src/shop/tracing.py", ".github/workflows/ci.yml", "docs/runbook.md", "tests/tasks/test_b.py"},
        ),
    ],
    ids=["fewer features", "other broker and CI"],
)
def test_other_answers_list_the_files_of_the_previous_answers(
    old: list[str], new: list[str], examples: set[str], tmp_path: Path
) -> None:
    cookiecutter(ROOT, tmp_path / "out", "--no-input", "project_slug=shop", *old)
    project = tmp_path / "out" / "shop"
    (project / "src" / "shop" / "own.py").write_text("", encoding="utf-8")
    before = set(contents(project))

    completed = cookiecutter(ROOT, tmp_path / "out", "--no-input", "project_slug=shop", *new, "-f")

    cookiecutter(ROOT, tmp_path / "clean", "--no-input", "project_slug=shop", *new)
    left = before - set(contents(tmp_path / "clean" / "shop")) - {"src/shop/own.py"}
    assert parse_listed_files(completed) == left
    assert examples <= left


def test_replay_generates_the_same_project(tmp_path: Path) -> None:
    answers = ["project_slug=shop", "broker=rabbitmq", "description=It is {{ 7 * 7 }}.", "queues=a:1, b:2"]
    cookiecutter(ROOT, tmp_path / "out", "--no-input", *answers)
    cookiecutter(ROOT, tmp_path / "again", "--replay")

    assert contents(tmp_path / "again" / "shop") == contents(tmp_path / "out" / "shop")


def test_scripts_from_an_archive_without_modes_are_executable(tmp_path: Path, checkout: Path) -> None:
    archive = tmp_path / "template.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in [checkout, *sorted(checkout.rglob("*"))]:
            file.write(path, path.relative_to(checkout.parent).as_posix())
    cookiecutter(archive, tmp_path / "out", "--no-input", "project_slug=shop", "framework=django")

    assert scripts(tmp_path / "out" / "shop") == SCRIPTS


def test_only_scripts_are_executable(tmp_path: Path, checkout: Path) -> None:
    project = checkout / "{{cookiecutter.project_slug}}"
    (project / "deploy" / "systemd" / "install.sh").chmod(0o644)
    cookiecutter(checkout, tmp_path / "out", "--no-input", "project_slug=shop", "framework=django")

    assert scripts(tmp_path / "out" / "shop") == SCRIPTS


def test_a_checkout_with_windows_line_endings_generates_the_same_project(tmp_path: Path, checkout: Path) -> None:
    cookiecutter(checkout, tmp_path / "out", "--no-input", "project_slug=shop")
    for path in checkout.rglob("*"):
        if path.is_file() and path.suffix != ".png":
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    cookiecutter(checkout, tmp_path / "windows", "--no-input", "project_slug=shop")

    assert contents(tmp_path / "windows" / "shop") == contents(tmp_path / "out" / "shop")


def test_generation_uses_no_cache_in_the_temporary_directory(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    (temporary / f"_jinja2-cache-{os.getuid()}").write_text("a file where Jinja's cache would be", encoding="utf-8")
    cookiecutter(ROOT, tmp_path / "out", "--no-input", "project_slug=shop", TMPDIR=str(temporary))

    assert (tmp_path / "out" / "shop" / "README.md").exists()


RENDER_BOTH = """
import sys
from cookiecutter.main import cookiecutter

for template, output in zip(sys.argv[1::2], sys.argv[2::2]):
    cookiecutter(template, no_input=True, extra_context={"project_slug": "shop"}, output_dir=output)
"""


def render_in_one_process(*templates_and_outputs: Path) -> subprocess.CompletedProcess[Any]:
    return subprocess.run(
        [sys.executable, "-c", RENDER_BOTH, *templates_and_outputs],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=templates_and_outputs[-1].parent,
    )


def test_two_checkouts_in_one_process_use_their_own_code(tmp_path: Path, checkout: Path) -> None:
    other = copy_template(tmp_path / "other")
    edit(
        other / "local_extensions" / "extension.py",
        '    "code": filters.code,',
        '    "code": filters.code,\n    "loud": str.upper,',
    )
    (other / "{{cookiecutter.project_slug}}" / "README.md").write_text("{{ 'new' | loud }}\n", encoding="utf-8")

    render_in_one_process(checkout, tmp_path / "a", other, tmp_path / "b", checkout, tmp_path / "c")

    assert (tmp_path / "b" / "shop" / "README.md").read_text(encoding="utf-8") == "NEW\n"
    assert contents(tmp_path / "a" / "shop") == contents(tmp_path / "c" / "shop")
    assert (tmp_path / "a" / "shop" / "README.md").read_text(encoding="utf-8") != "NEW\n"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_code_with_the_same_size_and_modification_time_is_reloaded(tmp_path: Path, checkout: Path) -> None:
    module = checkout / "local_extensions" / "requirements.py"
    text = module.read_text(encoding="utf-8")
    assert ">=5.7,<5.8" in text
    script = f"""
import os
from cookiecutter.main import cookiecutter
from pathlib import Path

module = Path({str(module)!r})
for output, celery in (("a", ">=5.7,<5.8"), ("b", ">=5.7,<5.9")):
    module.write_text(module.read_text().replace(">=5.7,<5.8", celery))
    os.utime(module, (1_000_000_000, 1_000_000_000))
    cookiecutter({str(checkout)!r}, no_input=True, extra_context={{"project_slug": "shop"}}, output_dir=output)
"""
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=120, cwd=tmp_path)

    assert "<5.8" in (tmp_path / "a" / "shop" / "pyproject.toml").read_text(encoding="utf-8")
    assert "<5.9" in (tmp_path / "b" / "shop" / "pyproject.toml").read_text(encoding="utf-8")


def test_pytest_cookies_works_in_another_repository(tmp_path: Path) -> None:
    # See docs/updating.md.
    (tmp_path / "test_bake.py").write_text(
        "def test_bake(cookies):\n"
        "    result = cookies.bake(extra_context={'broker': 'rabbitmq'})\n"
        "    assert result.exception is None\n"
        "    assert (result.project_path / 'deploy' / 'rabbitmq').is_dir()\n",
        encoding="utf-8",
    )
    completed = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:schemathesis",
            f"--template={ROOT}",
            "--rootdir=.",
            "test_bake.py",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "1 passed" in completed.stdout, completed.stdout + completed.stderr


def test_without_hooks_the_features_stay_in_their_folder(tmp_path: Path) -> None:
    cookiecutter(ROOT, tmp_path / "out", "--no-input", "project_slug=shop", "--accept-hooks=no")

    assert (tmp_path / "out" / "shop" / "_features" / "redis").is_dir()


def test_the_hook_requires_neither_tools_nor_network(tmp_path: Path) -> None:
    # An empty PATH: without git, uv, make and a shell.
    cookiecutter(ROOT, tmp_path / "out", "--no-input", "project_slug=shop", PATH="")

    assert (tmp_path / "out" / "shop" / "src" / "shop" / "tasks" / "default.py").exists()


SIZES = {"default": 9_400, "FastAPI": 12_250, "Django with everything": 14_200}
"""The maximum number of lines of a project. To raise a limit, give the reason in docs/decisions.md."""


@pytest.mark.parametrize("name", SIZES)
def test_a_project_has_a_limited_size(name: str, bake: Bakery, request: pytest.FixtureRequest) -> None:
    answers = {"framework": "fastapi"} if name == "FastAPI" else OWNER_PROJECTS[name]
    files = [path for path in bake(**answers).path.rglob("*") if path.is_file()]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)

    request.node.user_properties.append(("size", (name, len(files), lines)))
    assert lines <= SIZES[name]


@pytest.mark.parametrize(
    ("name", "files", "lines"), [("without monitoring", 8, 55), ("default", 10, 60), ("Django with everything", 12, 80)]
)
def test_a_queue_and_a_job_added_by_hand_are_a_few_lines(
    name: str, files: int, lines: int, bake: Bakery, request: pytest.FixtureRequest
) -> None:
    added = count_added_lines(*bake_without_and_with_queue(bake, name))

    request.node.user_properties.append(("size", (f"a queue and a job, {name}", len(added), sum(added.values()))))
    assert len(added) <= files
    assert sum(added.values()) <= lines
