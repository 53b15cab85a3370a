"""Factories of model instances for tests: `UserFactory.create()`.

https://factoryboy.readthedocs.io
"""

import datetime

from factory.declarations import Sequence, SubFactory
from factory.django import DjangoModelFactory

from {{ cookiecutter.project_slug }}.reports.models import Report
from {{ cookiecutter.project_slug }}.users.models import User


class UserFactory(DjangoModelFactory[User]):
    """A user without permissions."""

    class Meta:
        """The model is `User`."""

        model = User

    username = Sequence(lambda number: f"user-{number}")


class ReportFactory(DjangoModelFactory[Report]):
    """A report for January that is not built yet."""

    class Meta:
        """The model is `Report`."""

        model = Report

    since = datetime.date(2027, 1, 1)
    until = datetime.date(2027, 1, 31)
    requested_by = SubFactory(UserFactory)
