"""The keys that programs send as `X-API-Key`. Each has the name of its owner, so that it can be replaced on its own."""

import hmac

from {{ cookiecutter.project_slug }}.settings import env

KEYS = [tuple(pair.split(":", 1)) for pair in env.api_keys.split(",") if pair]
"""The names and keys of `API_KEYS`. A name may have two keys while one replaces the other."""
{% if plan().features.fastapi %}
if env.api_key:
    KEYS.append(("default", env.api_key))
{% endif %}


def owner_of(key: str) -> str | None:
    """Return the name of a key's owner, or None if there is no such key."""
    found = None
    for name, known in KEYS:  # all of them, each in constant time: the time does not tell how much of a key is right
        if hmac.compare_digest(key.encode("latin-1", "replace"), known.encode()):
            found = name
    return found
