"""Each use of Redis has a database of its own."""

import pytest

from {{ cookiecutter.project_slug }}.doctor.databases import own_database


def test_the_same_server_with_another_database_is_right() -> None:
    assert own_database({"A": "redis://localhost:6379/0", "B": "redis://localhost:6379/1"}).status == "ok"


@pytest.mark.parametrize("other", ["redis://localhost:6379/0", "redis://:word@localhost", "rediss://localhost:6379/"])
def test_the_same_database_is_a_failure_however_it_is_written(other: str) -> None:
    found = own_database({"A": "redis://localhost:6379/0", "B": other})
    assert (found.status, found.what) == ("failure", "A and B are the same")
