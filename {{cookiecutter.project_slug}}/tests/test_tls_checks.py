"""The doctor's check of TLS, by a connection's socket."""

import ssl
from unittest.mock import Mock

from {{ cookiecutter.project_slug }}.findings import Note
from {{ cookiecutter.project_slug }}.tls_checks import check_tls


def test_a_connection_that_accepts_any_certificate_is_reported() -> None:
    (plain,) = check_tls(Mock())
    assert isinstance(plain, Note)

    context = ssl.create_default_context()
    verified = Mock(spec=ssl.SSLSocket, context=context, version=lambda: "TLSv1.3")
    (found,) = check_tls(verified)
    assert isinstance(found, Note)
    assert found.startswith("TLSv1.3")

    context.check_hostname = False
    (without_name,) = check_tls(verified)
    assert not isinstance(without_name, Note)
