"""What a check of the doctor finds besides problems."""


class Note(str):
    """A fact that is no problem."""


class Unknown(str):
    """What a check could not examine, and why."""
