"""A request's id is the client's, unless it could harm logs or messages."""

import pytest

from {{ cookiecutter.project_slug }}.request_log import request_id


def test_the_id_of_a_client_is_kept() -> None:
    assert request_id("from-caller_1.2") == "from-caller_1.2"


@pytest.mark.parametrize("given", [None, "", "a b", "a\tb", "x" * 65, "line\nbreak", "ünsafe", "{}"])
def test_an_odd_id_is_replaced(given: str | None) -> None:
    assert len(request_id(given)) == 36
