"""Finish a project: write the files that project.json holds, and say what comes next."""

import json
import os


def main(closing_words: str, keeps_files: bool) -> None:
    """Unpack the project in this folder; of what is there already, `keeps_files` leaves all as it is."""
    with open("project.json", encoding="utf-8") as packed:
        files = json.load(packed)
    os.remove("project.json")
    for path, executable, text in files:
        if keeps_files and os.path.exists(path):
            continue
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        if executable:
            os.chmod(path, os.stat(path).st_mode | 0o111)  # noqa: S103 - for those who may read it
    print(closing_words)


if __name__ == "__main__":
    # Cookiecutter renders this file first: what it is given comes as literals, never inside quotes.
    main({{closing_words() | python}}, {{keeps_files() | python}})  # type: ignore[arg-type, name-defined] # noqa: F821
