"""Checks that more than one part makes."""

from {{ cookiecutter.project_slug }}.doctor.findings import Finding, failure, ok, warning

LONG_WAIT = 300.0
"""Seconds that a task may wait in its queue before somebody should look."""

MANY = 1000
"""Tasks that may wait in a queue before somebody should look."""

LARGEST_SKEW = 5.0
"""Seconds by which two clocks may differ."""


def backlog(queue: str, waiting: int, oldest: float | None = None) -> Finding:
    """How many tasks wait in a queue; for how many seconds the oldest has waited, where the broker can tell."""
    check, what = f"queue {queue}", f"{waiting} waiting"
    if oldest is not None:
        what += f", the oldest for {oldest:.0f} s"
    if waiting > MANY or (oldest or 0) > LONG_WAIT:
        return warning(check, what, "start more workers for it, or find out what holds those that run")
    return ok(check, what)


def dead_letters(number: int) -> Finding:
    """How many tasks have failed for good and wait for somebody to decide."""
    if number:
        advice = "see why: python -m {{ cookiecutter.project_slug }}.dead_letters list; then requeue or purge them"
        return warning("dead letters", f"{number} of them", advice)
    return ok("dead letters", "none")


def clock(whose: str, skew: float) -> Finding:
    """By how many seconds a clock is ahead of this machine's, or behind where it is negative."""
    if abs(skew) > LARGEST_SKEW:
        what = f"{whose} is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine"
        return failure("clocks", what, "let both keep time by NTP: eta, expires and the schedule go by them")
    return ok("clocks", f"{whose} agrees with this machine")


def skew_of(theirs: float, asked: float, answered: float) -> float:
    """By how many seconds a clock is ahead of ours that was read between two moments of ours; all are Unix times."""
    return theirs - min(max(theirs, asked), answered)
