"""The findings of the doctor's checks that are not problems."""


class Note(str):
    """A fact that is not a problem."""


class Unknown(str):
    """A fact that a check could not determine, with the reason."""
