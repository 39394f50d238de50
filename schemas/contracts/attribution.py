"""What crosses Temporal for an attribution: the account's id, and counts; nothing to compare.

Fields are only ever added, with a default (see `schemas.contracts.backups`).
"""

from datetime import datetime
from uuid import UUID, uuid5

from schemas.contracts.backups import Message


def attribution_id(account_id: UUID) -> UUID:
    """Id in the ledger of an account's only attribution."""
    return uuid5(account_id, "attribution")


class Attribute(Message):
    """Input of the workflow: whose legacy backups are looked for."""

    account_id: UUID


class AttributionOrder(Message):
    """What the activity is told."""

    account_id: UUID
    operation_id: UUID
    at: datetime


class Attributed(Message):
    """What moved.

    Attributes:
        moved: Numbered backups now held by the account.
        drafts_left: Drafts of the same registrants, which stay with the old platform.
        already_moved: Backups of the same registrants that somebody has claimed before.
    """

    moved: int = 0
    drafts_left: int = 0
    already_moved: int = 0
