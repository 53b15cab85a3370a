"""The user model: Django's, in this project, so that fields can be added later."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A person, or a program with a key in `API_KEYS` under its username."""
