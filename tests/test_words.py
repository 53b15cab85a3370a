"""The retired words of the template and of the generated projects, each with its replacement."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.support.variants import ROOT

pytestmark = pytest.mark.rules

# Regular expressions for words and phrases, ignoring case. A space also matches a line break and the `#` of a comment.
RETIRED = {
    "of (?:its|their|our|your) own": "a separate ..., or nothing",
    "(?:is|are|was|were) away": "is unreachable, is down",
    "for good": "permanently",
    "bec(?:omes?|ame) of": "a noun: the outcome, the state, the result",
    "whoever|somebody|(?<![\"'])nobody(?![\"'])": "the noun: client, operator, worker, process; no consumer",
    "likewise": "also, or repeat the words",
    "(?:and|or) the like": "the other examples, or `such as`",
    "has to be said": "the sentence without it",
    "those of them": "the noun",
    "hand(?:s|ed)? out": "deliver, redeliver",
    "g(?:ives?|ave|iven) back": "requeue, return",
    r"thr(?:ow|ows|ew|own) (?:\w+ )?away": "delete, discard",
    "mend(?:s|ed)?": "fix",
    "write for example": "Example:",
    "what there is": "the noun",
    "whether there (?:is|are)": "Return whether ... is enabled",
    "takes? long": "is slow, or the time",
    "pil(?:es?|ed|ing) up": "accumulate; missed during an outage",
    "hea(?:rs?|rd) of": "is notified of",
    "(?:is|are|was|were) told": "is notified, is configured",
    "on (?:its|their) way": "unacknowledged, in transit",
    "slowest of ten": "p90",
    "done a minute": "throughput",
    "in a hurry": "the sentence without it",
}
# The beginning of a line, without a comment's or a string's marks.
RETIRED_BEGINNINGS = {
    r"let (?!go|\w+ = )": "the imperative of the verb that follows, or subject and verb",
    "#+ (?:change|configure|operate|watch) it": "Development, Configuration, Operations, Monitoring",
    r"\| (?:to|ask) \|": "Task, Endpoint",
}
# This file, the changelog, licenses, and files of tools.
EXCLUDED = (
    "tests/test_words.py",
    "CHANGELOG.md",
    "LICENSE",
    "*/LICENSE",
    "*.lock",
    "*package-lock.json",
    "*.svg",
    "*.png",
)


def files_of_the_template() -> dict[str, str]:
    """Return the text of each file that git tracks or would add, by its path."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "."]
    excluded = [f":(exclude){pattern}" for pattern in EXCLUDED]
    names = subprocess.run([*command, *excluded], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = {name: ROOT / name for name in names.split("\0") if name}
    return {name: path.read_text(encoding="utf-8") for name, path in paths.items() if path.is_file()}


FILES = files_of_the_template()


def pattern_of(words: str, *, beginning: bool) -> re.Pattern[str]:
    """Return the pattern that finds retired words in a file."""
    spaced = words.replace(" ", r"(?:\s+(?:#\s+)?)")
    text = rf"^[ \t]*(?:# |- |\"\"\")?(?:{spaced})" if beginning else rf"\b(?:{spaced})\b"
    return re.compile(text, re.IGNORECASE | re.MULTILINE)


def find_words(pattern: re.Pattern[str], files: dict[str, str]) -> list[str]:
    """Return the places of a pattern in files, as `path:line: words`."""
    return [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {' '.join(match[0].split())}"
        for name, text in files.items()
        for match in pattern.finditer(text)
    ]


def test_the_files_include_the_generated_project() -> None:
    assert len(FILES) > 400
    assert {"README.md", "docs/decisions.md", "{{cookiecutter.project_slug}}/README.md"} <= FILES.keys()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It has a queue of its own.", True),
        ("# It has a queue of its\n# own.", True),
        ("It has the name of its owner.", False),
        ('chown "nobody"; nobody reads it', True),
        ('useradd "nobody"', False),
        ('    """Let tests see it."""', True),
        ("It does not let go.", False),
        ("## Watch it\n", True),
        ("| to | type |", True),
    ],
)
def test_the_patterns_find_words(text: str, found: bool) -> None:
    patterns = [pattern_of(words, beginning=False) for words in RETIRED]
    patterns += [pattern_of(words, beginning=True) for words in RETIRED_BEGINNINGS]
    assert any(find_words(pattern, {"text": text}) for pattern in patterns) == found


@pytest.mark.parametrize("words", [*RETIRED, *RETIRED_BEGINNINGS])
def test_no_file_contains_a_retired_word(words: str) -> None:
    replacement = {**RETIRED, **RETIRED_BEGINNINGS}[words]
    found = find_words(pattern_of(words, beginning=words in RETIRED_BEGINNINGS), FILES)
    assert not found, f"write instead: {replacement}\n" + "\n".join(found)
