"""The choice of a request id."""

import pytest

from {{ cookiecutter.project_slug }}.request_log import choose_request_id


def test_a_valid_id_of_a_client_is_kept() -> None:
    assert choose_request_id("from-caller_1.2") == "from-caller_1.2"


@pytest.mark.parametrize("given", [None, "", "a b", "a\tb", "x" * 65, "line\nbreak", "ünsafe", "{}"])
def test_a_missing_or_invalid_id_is_replaced(given: str | None) -> None:
    assert len(choose_request_id(given)) == 36
