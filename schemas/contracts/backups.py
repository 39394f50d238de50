"""What crosses Temporal for a backup: references, revisions and dates; no content, no person.

Fields are only ever added, with a default: open drafts hold messages of earlier releases.
Unknown fields are ignored for the same reason.
"""

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """Base of all messages: immutable, silent about values in its errors."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Block(Message):
    """An effect that was refused for a business reason; its workflow waits for a person (受阻).

    Attributes:
        effect: Name of the activity that was refused.
        code: Why: a code of `schemas.errors`, or the failure's type.
        since: When it was refused.
    """

    effect: str
    code: str
    since: datetime


class Progress(Message):
    """A draft between two runs of its workflow, and what a save changes of it."""

    revisions: dict[str, int] = {}
    """Saved revision of each step; a step that is not in it is open."""
    expires_at: datetime | None = None
    remind_at: list[datetime] = []
    """Reminders still due, soonest first."""
    awaiting: list[str] = []
    """Repositories whose deposits are on their way."""
    recheck_every: timedelta = timedelta(days=1)
    recheck_at: datetime | None = None

    @property
    def next_due(self) -> datetime | None:
        """When something falls due by itself: a reminder, a look-up, or the end."""
        due = (*self.remind_at, self.recheck_at, self.expires_at)
        return min((at for at in due if at is not None), default=None)


def operation_id(backup_id: UUID, update_id: str) -> UUID:
    """Id in the ledger of what one update of one backup does; update ids alone repeat between backups."""
    return uuid5(backup_id, update_id)


class OpenBackup(Message):
    """Input of the backup creation workflow.

    Attributes:
        backup_id: The backup to create.
        creator_id: Account that opens it, its first delegate.
        unit_code: Unified social credit code of that account's unit at this moment.
        progress: Carried by continue-as-new; None for the first run.
        events_per_run: History length that starts a fresh run, far below the server's limit of 51,200.
        release: Version of the release it is opened under, for operators.
        due_at: The deadline that operators see; None for drafts that show none.
        block: Carried by continue-as-new: what was refused, while it waits for an operator.
    """

    backup_id: UUID
    creator_id: UUID
    unit_code: str
    progress: Progress | None = None
    events_per_run: int = 4_000
    release: str | None = None
    due_at: datetime | None = None
    block: Block | None = None


class SaveStep(Message):
    """Ask that one step refers to content that is already stored.

    Attributes:
        step: Id of the step in the procedure.
        revision: The revision this save replaces, 0 for an open step; another one is stale.
        content_id: Row of `form_content` or `manifest`, by the kind of the step.
        sha256: Digest of that content, hex.
        account_id: Who saves.
    """

    step: str
    revision: int
    content_id: UUID
    sha256: str
    account_id: UUID


class StepSaved(Message):
    """Answer to `SaveStep`."""

    step: str
    revision: int
    saved_at: datetime
    expires_at: datetime
    awaiting: list[str] = []


class Submit(Message):
    """Ask for a backup number."""

    account_id: UUID


class Verdict(Message):
    """Answer to `Submit` (结论): a number, or why there is none.

    Attributes:
        accepted: Whether the backup is numbered now.
        number: The backup number (备份编号), when accepted.
        release: Digest of the release that judged.
        errors: Findings that block, over all steps.
        awaiting: Repositories whose deposits are on their way.
    """

    accepted: bool
    number: str | None = None
    release: str
    errors: int = 0
    awaiting: list[str] = []


class Withdraw(Message):
    """Ask to give a draft up."""

    account_id: UUID


class Closed(Message):
    """Answer to `Withdraw`, and result of the workflow."""

    state: Literal["numbered", "withdrawn", "expired", "superseded", "refused"]
    number: str | None = None


class CheckDeposits(Message):
    """Ask whether the deposits a draft waits for have arrived.

    Attributes:
        account_id: Who asks; None for the scheduled re-check.
        attested: Repository that has told this person that the deposit arrived; None to look it up.
        source: Whose word that is: the account's, or an operator's.
    """

    account_id: UUID | None = None
    attested: str | None = None
    source: str = "account"


class DepositsChecked(Message):
    """Answer to `CheckDeposits`: the repositories still awaited."""

    awaiting: list[str] = []


# --- activities -----------------------------------------------------------------------------------


class RecordStep(Message):
    """Save a step in the database, at most once for one `operation_id`."""

    operation_id: UUID
    backup_id: UUID
    creator_id: UUID
    unit_code: str
    command: SaveStep
    at: datetime


class StepRecorded(Message):
    """What a save did: its answer and the new deadlines."""

    saved: StepSaved
    remind_at: list[datetime] = []
    recheck_every: timedelta = timedelta(days=1)


class SealBackup(Message):
    """Judge a submission and, when accepted, number the backup; at most once for one `operation_id`."""

    operation_id: UUID
    backup_id: UUID
    command: Submit
    at: datetime


class Sealed(Message):
    """Outcome of `SealBackup`: a verdict, or the manifests the release in force has not judged yet.

    Attributes:
        release: Digest of the release in force.
        version: Its version, for operators.
    """

    verdict: Verdict | None = None
    unjudged: list[UUID] = []
    release: str
    version: str | None = None


class JudgeManifest(Message):
    """Judge every row of one manifest by one release."""

    manifest_id: UUID
    release: str


class CloseBackup(Message):
    """Close a draft as withdrawn or expired; at most once for one `operation_id`."""

    operation_id: UUID
    backup_id: UUID
    state: Literal["withdrawn", "expired"]
    account_id: UUID | None = None
    at: datetime


class LookUpDeposits(Message):
    """Ask the repositories for the deposits one draft waits for."""

    backup_id: UUID


class DepositAnswer(Message):
    """What one repository, or a person, says of deposits on their way.

    `not_public` is not `invalid`: public look-ups show released deposits only.
    """

    repository: str
    result: Literal["verified_public", "not_public", "mismatch", "unavailable", "attested"]
    source: str


class DepositAnswers(Message):
    """Answer to `LookUpDeposits`, one per repository."""

    answers: list[DepositAnswer] = []


class RecordDeposits(Message):
    """Record what is known of deposits; at most once for one `operation_id`."""

    operation_id: UUID
    backup_id: UUID
    account_id: UUID | None = None
    answers: list[DepositAnswer]
    at: datetime


class SendReminder(Message):
    """Tell the delegate that a draft is about to expire; at most once for one `due_at`."""

    backup_id: UUID
    due_at: datetime
    expires_at: datetime
    at: datetime
