"""What crosses Temporal for the platform's own upkeep: spans of time and counts.

Fields are only ever added, with a default (see `schemas.contracts.backups`).
"""

from datetime import timedelta

from schemas.contracts.backups import Message


class SweepOrder(Message):
    """Clear away what nobody will come back for.

    Attributes:
        lapses_after: A request without an answer is nobody's after this time.
        kept_for: How long what a refused request brought is kept.
    """

    lapses_after: timedelta = timedelta(days=7)
    kept_for: timedelta = timedelta(days=7)


class Swept(Message):
    """What a sweep did.

    Attributes:
        lapsed: Requests that were closed without an answer.
        forms: Forms that were deleted.
        lists: File lists, with all their rows.
        claims: Claims that never got under way.
    """

    lapsed: int = 0
    forms: int = 0
    lists: int = 0
    claims: int = 0


class CatchUp(Message):
    """Do what drafts should have done by now.

    Attributes:
        grace: How long something may be due.
    """

    grace: timedelta = timedelta(hours=1)


class CaughtUp(Message):
    """What was overdue.

    Attributes:
        reminded: Reminders that were missing.
        rechecked: Drafts that have been asked to look their deposits up.
        unreachable: Drafts whose workflow did not take that up.
    """

    reminded: int = 0
    rechecked: int = 0
    unreachable: int = 0
