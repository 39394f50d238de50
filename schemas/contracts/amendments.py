"""What crosses Temporal for a numbered backup: ids and times; the reason stays in the database.

Fields are only ever added, with a default (see `schemas.contracts.backups`).
"""

from datetime import datetime, timedelta
from uuid import UUID

from schemas.contracts.backups import Message


class WithdrawNumber(Message):
    """Ask that a numbered backup be withdrawn; the reason is stored under the id of the operation."""

    operation_id: UUID
    backup_id: UUID
    account_id: UUID


class WithdrawalOrder(WithdrawNumber):
    """What the activity is told."""

    at: datetime

    @property
    def case_id(self) -> UUID:
        """The backup it is about."""
        return self.backup_id


class NumberWithdrawn(Message):
    """It is withdrawn."""

    number: str
    withdrawn_at: datetime


class Correct(Message):
    """Ask that a draft begin as a correction; the reason is stored under the id of the operation.

    Attributes:
        corrects_id: The numbered backup.
        account_id: Who asks.
    """

    corrects_id: UUID
    account_id: UUID


class CorrectionOrder(Message):
    """Begin the draft of a correction in the database, at most once for one `operation_id`."""

    operation_id: UUID
    backup_id: UUID
    command: Correct
    at: datetime

    @property
    def case_id(self) -> UUID:
        """The draft."""
        return self.backup_id


class CorrectionOpened(Message):
    """There is a draft with the contents of the numbered backup; how it stands."""

    revisions: dict[str, int]
    expires_at: datetime
    remind_at: list[datetime]
    recheck_every: timedelta
    awaiting: list[str]
