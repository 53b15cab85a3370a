"""Django's settings, a module for each environment, and `env`: what the environment of this process says.

Where nothing is said, `development` takes servers on this machine; every other module insists on what it needs.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
"""The project's folder, in a checkout."""

DEVELOPMENT = {
    "DATABASE_URL": f"sqlite:///{ROOT / 'db.sqlite3'}",
{% for name, value in plan().local_values.items() %}
    "{{ name }}": "{{ value }}",
{% endfor %}
    "LOG_FORMAT": "console",
}

if os.environ.get("DJANGO_SETTINGS_MODULE") == f"{__name__}.development":
    for name, value in DEVELOPMENT.items():
        os.environ.setdefault(name, value)

from {{ cookiecutter.project_slug }}.settings.environment import Environment, env, read_environment  # noqa: E402

__all__ = ("Environment", "env", "read_environment")
