"""Check the readiness of the API on this host: `python -m {{ cookiecutter.project_slug }}.probe [PORT]`."""

import http.client
import sys


def main(port: int = 8000) -> int:
    """Return exit status 0 if the API is ready. Otherwise, print the reason and return 1."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        body = response.read(10_000).decode(errors="replace")
    except OSError as error:
        print(f"API unreachable on port {port}: {error}", file=sys.stderr)
        return 1
    if response.status != http.client.OK:
        print(f"API not ready: {response.status} {body}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
