"""Asks the API of this machine whether it is ready, for health checks: `python -m {{ cookiecutter.project_slug }}.probe [PORT]`."""

import http.client
import os
import sys


def main(port: int = 8000) -> int:
    """Exit status 0 if the API is ready, else 1 and one line why."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/ready", headers={"X-API-Key": os.environ.get("API_KEY", "")})
        response = connection.getresponse()
        said = response.read(10_000).decode(errors="replace")
    except OSError as error:
        print(f"no answer from port {port}: {error}", file=sys.stderr)
        return 1
    if response.status != http.client.OK:
        print(f"not ready: {response.status} {said}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
