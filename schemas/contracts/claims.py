"""What crosses Temporal for claims: ids, counts, states and dates; no name, no phone, no code.

A typed code comes as its keyed digest. Fields are only ever added, with a default
(see `schemas.contracts.backups`).
"""

from datetime import datetime
from math import ceil
from uuid import UUID

from schemas.claims import ClaimState
from schemas.contracts.backups import Block, Message


class ClaimProgress(Message):
    """A claim between two runs of its workflow. The database's row is the truth; this is when to look at it.

    Attributes:
        state: As the row's.
        due_at: When that state ends by itself.
        asked: Codes asked for and counted.
        issued: Codes issued, or not, without a match.
        resend_at: Before this no further code can be asked for.
    """

    state: ClaimState = "stored"
    due_at: datetime | None = None
    asked: int = 0
    issued: int = 0
    resend_at: datetime | None = None


class OpenClaim(Message):
    """Input of both workflows.

    Attributes:
        claim_id: Row of `claim` or `unit_claim`, stored already.
        progress: Carried by continue-as-new; None for the first run.
        events_per_run: History length that starts a fresh run.
        block: Carried likewise: what was refused, while it waits for an operator.
    """

    claim_id: UUID
    progress: ClaimProgress | None = None
    events_per_run: int = 4_000
    block: Block | None = None


def seconds_until(then: datetime, now: datetime) -> int:
    """Whole seconds after which it is then, at least one."""
    return max(1, ceil((then - now).total_seconds()))


# --- updates --------------------------------------------------------------------------------------


class ClaimCommand(Message):
    """Ask something of a claim: open it, or send another code.

    Attributes:
        operation_id: Row of the ledger. It is said here since a refusal may be tried again later, under an
            update id of its own.
    """

    operation_id: UUID


class CodeAttempt(ClaimCommand):
    """Try a code: the keyed digest of what was typed, hex."""

    digest: str


class Decision(ClaimCommand):
    """What an administrator decides on a claim: a confirmation (单位确认) or an approval (复核)."""

    account_id: UUID
    agreed: bool


class Reversal(ClaimCommand):
    """Undo a unit's claim (撤销)."""

    account_id: UUID


# --- activities -----------------------------------------------------------------------------------


class ClaimOrder(Message):
    """Have one effect on a claim, at most once for one `operation_id`."""

    operation_id: UUID
    claim_id: UUID
    at: datetime

    @property
    def case_id(self) -> UUID:
        """What the ledger files it under."""
        return self.claim_id


class TryCode(ClaimOrder):
    """Compare a code and count the try."""

    digest: str


class Decide(ClaimOrder):
    """Record an administrator's decision and act on it."""

    account_id: UUID
    agreed: bool


class Reverse(ClaimOrder):
    """Undo a unit's claim."""

    account_id: UUID


class CodeAsked(Message):
    """A code was asked for and counted; whether one is sent is not said."""

    asked: int
    resend_at: datetime
    due_at: datetime


class CodeIssued(Message):
    """What is known after the look-up.

    Attributes:
        issued: Codes the claim has had.
        due_at: When the claim lapses unless it is proven.
        message_id: The message to send; None without a match.
    """

    issued: int
    due_at: datetime
    message_id: UUID | None = None


class CodeTried(Message):
    """Whether a code was right, and how the claim stands now."""

    accepted: bool
    state: ClaimState
    due_at: datetime | None = None


class ClaimStands(Message):
    """How a claim stands after something was done to it.

    Attributes:
        state: As the row's.
        due_at: When that state ends by itself.
        moved: Backups moved so far.
        already_moved: Backups that had been moved before.
        asked: Codes asked for and counted.
        went_on: Backups that are no longer with whom a reversal would take them from.
        message_id: A message to send.
    """

    state: ClaimState
    due_at: datetime | None = None
    moved: int = 0
    already_moved: int = 0
    asked: int = 0
    went_on: int = 0
    message_id: UUID | None = None
