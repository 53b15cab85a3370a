"""API keys, which clients send as `X-API-Key`. Each key has the name of its owner."""

import hmac

from {{ cookiecutter.project_slug }}.settings import env

KEYS = [tuple(pair.split(":", 1)) for pair in env.api_keys.split(",") if pair]
"""Pairs of owner and key from `API_KEYS`. An owner may have several keys, so that a key can be rotated."""
{% if plan().features.fastapi %}
if env.api_key:
    KEYS.append(("default", env.api_key))
{% endif %}


def find_owner(key: str) -> str | None:
    """Return the name of a key's owner, or None if there is no such key."""
    owner = None
    # Compare with every key in constant time, so that response times reveal nothing about the keys.
    for name, known in KEYS:
        if hmac.compare_digest(key.encode("latin-1", "replace"), known.encode()):
            owner = name
    return owner
