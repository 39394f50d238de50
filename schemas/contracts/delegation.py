"""What crosses Temporal for a handover: ids, counts, states and dates; no person, no list of backups.

Fields are only ever added, with a default (see `schemas.contracts.backups`).
"""

from datetime import datetime
from uuid import UUID

from schemas.contracts.backups import Message
from schemas.delegation import Consent, HandoverState


def handover_workflow(from_id: UUID) -> str:
    """Id of the workflow that hands a person's backups over: one at a time for one person."""
    return f"handover-{from_id}"


class OpenHandover(Message):
    """Input of the workflow: the row of `handover`, stored already."""

    handover_id: UUID


# --- updates --------------------------------------------------------------------------------------


class HandoverCommand(Message):
    """Ask something of a handover: begin it.

    Attributes:
        handover_id: Which one is meant; the workflow of the same person may be about another.
        operation_id: Row of the ledger.
    """

    handover_id: UUID
    operation_id: UUID


class ConsentCommand(HandoverCommand):
    """What somebody decides on a handover that waits for it."""

    account_id: UUID
    consent: Consent
    agreed: bool


# --- activities -----------------------------------------------------------------------------------


class HandoverOrder(Message):
    """Have one effect on a handover, at most once for one `operation_id`."""

    operation_id: UUID
    handover_id: UUID
    at: datetime

    @property
    def case_id(self) -> UUID:
        """What the ledger files it under."""
        return self.handover_id


class DecideHandover(HandoverOrder):
    """Record what somebody decides."""

    account_id: UUID
    consent: Consent
    agreed: bool


class HandoverStands(Message):
    """How a handover stands after something was done to it.

    Attributes:
        state: As the row's.
        due_at: When that state ends by itself.
        moved: Backups handed over.
    """

    state: HandoverState
    due_at: datetime | None = None
    moved: int = 0
