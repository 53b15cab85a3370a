"""Finish a project: lay the chosen option folders over it, split the files that hold several, say what comes next."""

import re
import shlex
import shutil
from pathlib import Path

PART = re.compile(r"^=== ((?:\w[\w.-]*/)*\w[\w.-]*) ===\n", flags=re.MULTILINE)


def vacant(target: Path) -> Path:
    """The same path, in a folder that exists, and where nothing is yet."""
    if target.exists():
        raise SystemExit(f"Two files of the template become {target}")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def merge(folder: Path, options: dict[str, str]) -> None:
    """Lay `_options/<question>/<answer>+<other answer>/` over `folder` where one of the answers is the chosen one."""
    for answers in sorted(folder.glob("_options/*/*")):
        if options[answers.parent.name] in answers.name.split("+"):
            merge(answers, options)
            for path in sorted(path for path in answers.rglob("*") if path.is_file()):
                path.rename(vacant(folder / path.relative_to(answers)))
    shutil.rmtree(folder / "_options", ignore_errors=True)


def split(file: Path) -> None:
    """Write each part of a `.split` file, which begins with a line `=== path ===`, to its path beside that file."""
    _, *parts = PART.split(file.read_text(encoding="utf-8"))
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        vacant(file.parent / name).write_text(text, encoding="utf-8")
    file.unlink()


def main(project: Path, options: dict[str, str], summary: str) -> None:
    """Finish the project in this folder."""
    merge(project, options)
    for file in sorted(project.rglob("*.split")):
        split(file)
    print(f"{summary}\n\n    cd {shlex.quote(str(project))}\n    make demo    # see it at work, without a broker")
    print("    make test    # install it and run its tests\n    make up      # broker, workers and beat in containers")


if __name__ == "__main__":
    # Cookiecutter renders this file first: the answers come as literals, never inside quotes.
    main(Path.cwd(), {{plan().options | python}}, {{plan().summary | python}})  # type: ignore[arg-type, name-defined] # noqa: F821
