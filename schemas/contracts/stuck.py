"""What crosses Temporal for stuck work: ids, codes and counts; no person.

Fields are only ever added, with a default (see `schemas.contracts.backups`).
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from schemas.contracts.backups import Message


class ScanOrder(Message):
    """Look for stuck work."""


class Scanned(Message):
    """What a scan found.

    Attributes:
        noted: Rows that were written or seen again.
        cleared: Rows that are over.
    """

    noted: int = 0
    cleared: int = 0


class Block(Message):
    """An effect that was refused for a business reason; its workflow waits for a person (受阻).

    Attributes:
        effect: Name of the activity that was refused.
        code: The refusal, a code of `schemas.errors`.
        since: When it was refused.
        operation_id: Row of the ledger that the effect would have had.
    """

    effect: str
    code: str
    since: datetime
    operation_id: UUID


class ResolveBlock(Message):
    """Ask a blocked workflow to go on.

    Attributes:
        operation_id: That of the operator's action.
        action: Try again, go on without the effect, or return the case to the applicant.
    """

    operation_id: UUID
    action: Literal["retry", "skip", "return_to_applicant"]


class BlockResolved(Message):
    """The workflow goes on."""

    effect: str


class NoteBlock(Message):
    """Note that a workflow is blocked."""

    block: Block


class ReturnCase(Message):
    """Return a case to the applicant, at most once for one `operation_id`."""

    operation_id: UUID
    case_id: UUID
    at: datetime
