"""Database access for tests that use the result backend."""

import pytest

{% if plan().features.limits %}
MODULES_WITH_RESULTS = ("tests.test_application", "tests.test_limits", "tests.test_readiness", "tests.test_tracking")
{% elif not plan().features.limits %}
MODULES_WITH_RESULTS = ("tests.test_application", "tests.test_readiness", "tests.test_tracking")
{% endif %}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow database access in these modules and in integration tests, whose worker stores results."""
    for item in items:
        module = item.nodeid.partition(".py")[0].replace("/", ".")
        if module in MODULES_WITH_RESULTS or item.get_closest_marker("integration"):
            # With real commits, which other threads can read.
            item.add_marker(pytest.mark.django_db(transaction=True))
