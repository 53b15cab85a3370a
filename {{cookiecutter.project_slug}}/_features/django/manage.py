#!/usr/bin/env python
"""Django's management commands. `DJANGO_SETTINGS_MODULE` defaults to the settings for development."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{{ cookiecutter.project_slug }}.settings.development")
    execute_from_command_line(sys.argv)
