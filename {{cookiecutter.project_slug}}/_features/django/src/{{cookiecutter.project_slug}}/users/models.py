"""A custom user model, so that fields can be added later."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A person or an API client. An API client has a key in `API_KEYS` under its username."""
