"""What a workflow obeys: steps, deadlines, limits, the shape of the number; how backups change hands."""

import datetime as dt
from typing import Literal

from rules.engine.model import Basis, Part
from schemas.texts import Text


class Step(Part):
    """One step (步骤) of a backup.

    Attributes:
        form: Form that is filled in; for a manifest, the form of one row.
        judged_by: Subjects whose rules judge the step.
    """

    id: str
    title: Text
    kind: Literal["form", "manifest"]
    form: str
    required: bool
    judged_by: tuple[str, ...]


class Limits(Part):
    """Sizes beyond which an upload is refused."""

    manifest_rows_max: int
    manifest_bytes_max: int
    form_bytes_max: int


class NumberFormat(Part):
    """Shape of the backup number (备份编号): prefix, day in a time zone, serial of that day."""

    prefix: str
    date: Literal["yyyymmdd"]
    time_zone: str
    serial_digits: int

    def number(self, day: dt.date, serial: int) -> str:
        """The backup number of a day's serial, e.g. ``BF2026112200001``."""
        return f"{self.prefix}{day:%Y%m%d}{serial:0{self.serial_digits}d}"


class BackupCreationProcedure(Part):
    """Content of ``procedures/backup-creation.yaml``.

    Attributes:
        judged_by: Subjects whose rules judge all steps together at submission.
        expires_after: A draft ends so long after its last save.
        reminders_before: Reminders so long before it ends, the earliest first.
        recheck_deposits_every: How often deposits on their way are looked up again.
        deposits_overdue_after: Deposits longer on their way than this are shown to operators.
    """

    title: Text
    in_force_from: dt.date
    basis: tuple[Basis, ...]
    steps: tuple[Step, ...]
    judged_by: tuple[str, ...]
    expires_after: dt.timedelta
    reminders_before: tuple[dt.timedelta, ...]
    recheck_deposits_every: dt.timedelta
    deposits_overdue_after: dt.timedelta = dt.timedelta(days=30)
    limits: Limits
    number: NumberFormat
    decision: Text | None = None

    def remind_at(self, saved_at: dt.datetime) -> list[dt.datetime]:
        """When to remind of a draft that was saved then, soonest first; never before it was saved."""
        expires_at = saved_at + self.expires_after
        return sorted(expires_at - before for before in self.reminders_before if before < self.expires_after)

    def first_due(self, saved_at: dt.datetime) -> dt.datetime:
        """When something happens by itself to a draft that was saved then: a reminder, or it expires."""
        return min(self.remind_at(saved_at), default=saved_at + self.expires_after)

    def step(self, id: str) -> Step:  # noqa: A002
        """The step of that id.

        Raises:
            KeyError: There is none.
        """
        for step in self.steps:
            if step.id == id:
                return step
        raise KeyError(id)


class NameMatching(Part):
    """What makes two spellings of a person's or a unit's name the same.

    Attributes:
        max_length: Longest name, in characters.
        ignore_blanks: Blanks do not count, inside a name either.
        simplify: A traditional character counts as its simplified form.
        unify_middle_dots: Every middle dot counts as ``·``.
        ignore_case: Capital letters count as small ones.
    """

    max_length: int
    ignore_blanks: bool
    simplify: bool
    unify_middle_dots: bool
    ignore_case: bool


class PhoneMatching(Part):
    """Which phones a legacy registrant can have.

    Attributes:
        countries: Whose mobile numbers are taken (ISO 3166-1); a number without country code is of the first.
        also: Beginnings of mobile numbers, E.164, that the number plan in use does not know yet.
    """

    countries: tuple[str, ...]
    also: tuple[str, ...] = ()


class Matching(Part):
    """How persons are compared with legacy registrants."""

    name: NameMatching
    phone: PhoneMatching


class Code(Part):
    """The code (验证码) that goes to the number on record."""

    digits: int
    valid_for: dt.timedelta
    tries: int
    resend_after: dt.timedelta


class Limit(Part):
    """At most so many requests within a period, counted on what was typed, before any look-up.

    Attributes:
        per: The number typed, the account, its network address, its unit.
    """

    per: Literal["number", "account", "address", "unit"]
    most: int
    within: dt.timedelta


class DailyBudget(Part):
    """Messages the platform sends in a day; operators are told at a share of it."""

    messages: int
    alarm_at: float


class UnitConfirmation(Part):
    """Whether a claim of backups of another unit waits for that unit's administrator, and how long."""

    required: bool
    valid_for: dt.timedelta


class UnitClaims(Part):
    """Claims by a unit's administrator.

    Attributes:
        approvals_above: Above so many backups a second administrator approves.
        undo_within: How long the move can be taken back.
    """

    approvals_above: int
    undo_within: dt.timedelta


class ClaimingProcedure(Part):
    """Content of ``procedures/claiming.yaml``: attribution (归入) and claims (认领) of legacy backups."""

    title: Text
    in_force_from: dt.date
    basis: tuple[Basis, ...]
    matching: Matching
    code: Code
    limits: tuple[Limit, ...]
    daily_budget: DailyBudget
    unit_confirmation: UnitConfirmation
    unit_claims: UnitClaims
    decision: Text | None = None


class Acceptance(Part):
    """Whether the new delegate accepts a handover before it takes place, and how long it waits for that."""

    required: bool
    valid_for: dt.timedelta


class Approval(Part):
    """Above how many backups a second administrator approves, and how long a handover waits for that."""

    above: int
    valid_for: dt.timedelta


class DelegationProcedure(Part):
    """Content of ``procedures/delegation.yaml``: how a delegate's backups are handed over (委托调整).

    Attributes:
        undo_within: How long a handover can be undone.
        notices: Who is told of it.
    """

    title: Text
    in_force_from: dt.date
    basis: tuple[Basis, ...]
    acceptance: Acceptance
    approval: Approval
    undo_within: dt.timedelta
    notices: tuple[Literal["old_delegate", "new_delegate"], ...]
    decision: Text | None = None

    def consents(self, backups: int) -> tuple[Literal["approval", "acceptance"], ...]:
        """Who has to agree before so many backups are handed over, in this order."""
        approval: tuple[Literal["approval"], ...] = ("approval",) if backups > self.approval.above else ()
        return (*approval, "acceptance") if self.acceptance.required else approval
