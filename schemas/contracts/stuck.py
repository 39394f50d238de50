"""What crosses Temporal for stuck work: ids, codes and counts; no person.

Fields are only ever added, with a default (see `schemas.contracts.backups`).
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from schemas.contracts.backups import Block, Message
from schemas.stuck import BlockAction


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


class ResolveBlock(Message):
    """Ask a blocked workflow to go on.

    Attributes:
        operation_id: That of the operator's action.
        action: Try again, go on without the effect, or return the case to the applicant.
    """

    operation_id: UUID
    action: BlockAction


class BlockResolved(Message):
    """Answer to `ResolveBlock`: what was blocked."""

    effect: str


class NoteBlock(Message):
    """Note that a workflow is blocked; without a block, that it is not any more."""

    block: Block | None = None


class ReturnCase(Message):
    """Return a claim or handover to whoever asked for it, at most once for one `operation_id`."""

    operation_id: UUID
    case_kind: Literal["claim", "unit_claim", "handover"]
    case_id: UUID
    at: datetime


class CaseReturned(Message):
    """Answer to `ReturnCase`: the state it ended in."""

    state: Literal["declined"] = "declined"
