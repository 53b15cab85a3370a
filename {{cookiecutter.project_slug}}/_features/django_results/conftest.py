"""Results are in the database, so that tests of results need it."""

import pytest

ASK_FOR_RESULTS = ("tests.test_application", "tests.test_readiness", "tests.test_tracking")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let them use it, and the integration tests, whose worker keeps results."""
    for item in items:
        module = item.nodeid.partition(".py")[0].replace("/", ".")
        if module in ASK_FOR_RESULTS or item.get_closest_marker("integration"):
            # With real commits: others than the test's own thread are to see what it writes.
            item.add_marker(pytest.mark.django_db(transaction=True))
