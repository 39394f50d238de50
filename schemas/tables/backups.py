"""Backups, the steps they are built from, and the numbers they get."""

from datetime import UTC, date, datetime
from enum import StrEnum
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, Index, String, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

now = partial(datetime.now, UTC)


class BackupState(StrEnum):
    """Where a backup (备份) stands. The last three are final; superseded (已更正) is a former version."""

    DRAFT = "draft"
    WAITING_FOR_DEPOSIT = "waiting_for_deposit"
    NUMBERED = "numbered"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


OPEN_STATES = (BackupState.DRAFT, BackupState.WAITING_FOR_DEPOSIT)


class Backup(SQLModel, table=True):
    """One backup: a draft (草稿) until it is submitted and accepted, numbered (已编号) from then on.

    A legacy backup (原备份) comes numbered, with a registrant of the old platform instead of a creator.
    Nobody holds it until it is moved into an account: only then has it a delegate and a unit.
    """

    __tablename__ = "backup"
    __table_args__ = (
        CheckConstraint("state <> 'numbered' OR number IS NOT NULL", name="numbered_with_number"),
        CheckConstraint("number IS NULL OR state IN ('numbered', 'withdrawn')", name="number_of_numbered"),
        CheckConstraint("(registrant_id IS NULL) = (creator_id IS NOT NULL)", name="registrant_or_creator"),
        CheckConstraint("(delegate_id IS NULL) = (unit_code IS NULL)", name="held_with_unit"),
        CheckConstraint(
            "registrant_id IS NOT NULL OR delegate_id IS NOT NULL AND expires_at IS NOT NULL",
            name="only_legacy_unheld",
        ),
        CheckConstraint("registrant_id IS NULL OR number IS NOT NULL", name="legacy_has_number"),
        Index("backup_by_delegate", "delegate_id", "created_at", "id"),
        Index("backup_by_unit", "unit_code", "created_at", "id"),
        Index("backup_by_holder", "unit_code", "delegate_id", "state"),
        Index(
            "backup_open_correction",
            "corrects_id",
            unique=True,
            postgresql_where=text("state IN ('draft', 'waiting_for_deposit')"),
        ),
    )

    id: UUID = Field(primary_key=True)
    state: BackupState = Field(sa_type=String)
    number: str | None = Field(default=None, unique=True, description="Backup number (备份编号)")
    title: str | None = Field(default=None, description="`title` of the first form of the procedure")
    data_files: int = Field(
        default=0, sa_column_kwargs={"server_default": "0"}, description="Rows of its lists of data files"
    )
    categories: list[str] = Field(
        default=[],
        sa_type=ARRAY(String),
        sa_column_kwargs={"server_default": "{}"},
        description="In its lists of data files, in alphabetical order",
    )
    registrant_id: UUID | None = Field(
        default=None,
        foreign_key="legacy_registrant.id",
        index=True,
        description="Who made a legacy backup; never changes (原系统注册人)",
    )
    creator_id: UUID | None = Field(
        default=None, foreign_key="account.id", description="Who made it; never changes (创建人)"
    )
    delegate_id: UUID | None = Field(
        default=None, foreign_key="account.id", description="Who may use it (委托人)"
    )
    unit_code: str | None = Field(default=None, foreign_key="unit.code")
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    saved_at: datetime = Field(sa_type=DateTime(timezone=True))
    expires_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    closed_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    release_digest: str | None = Field(
        default=None,
        foreign_key="rulebook_release.digest",
        description="The release that judged it",
    )
    version: int = Field(default=1, sa_column_kwargs={"server_default": "1"}, description="Of its contents")
    corrects_id: UUID | None = Field(
        default=None,
        foreign_key="backup.id",
        description="The numbered backup that this draft corrects, or of which this is a former version",
    )


class Delegation(SQLModel, table=True):
    """Who held a backup (委托) from when to when: one delegate at any instant.

    Written with every change of `Backup.delegate_id`, in its transaction.
    """

    __tablename__ = "delegation"
    __table_args__ = (
        CheckConstraint("until >= since", name="ends_after_it_begins"),
        Index("delegation_now", "backup_id", unique=True, postgresql_where=text("until IS NULL")),
        Index("delegation_by_operation", "operation_id"),
    )

    backup_id: UUID = Field(primary_key=True, foreign_key="backup.id")
    since: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    until: datetime | None = Field(
        default=None, sa_type=DateTime(timezone=True), description="None: to this day"
    )
    delegate_id: UUID = Field(foreign_key="account.id")
    unit_code: str
    operation_id: UUID = Field(description="What gave it to them")
    ended_by: UUID | None = Field(default=None, description="The operation that took it from them")


class BackupStep(SQLModel, table=True):
    """The saved state of one step of one backup. A step without a row is open."""

    __tablename__ = "backup_step"
    __table_args__ = (Index("backup_step_by_content", "content_id"),)

    backup_id: UUID = Field(primary_key=True, foreign_key="backup.id")
    step: str = Field(primary_key=True, description="Id of the step in procedures/backup-creation.yaml")
    revision: int = Field(description="1 with the first save, one more with each")
    content_id: UUID = Field(description="A form_content or a manifest, by the kind of the step")
    saved_at: datetime = Field(sa_type=DateTime(timezone=True))
    saved_by: UUID


class NumberSerial(SQLModel, table=True):
    """The last serial given out on a day, in the time zone of the number format."""

    __tablename__ = "number_serial"

    day: date = Field(primary_key=True)
    last: int


class DepositCheck(SQLModel, table=True):
    """The latest word on a backup's deposits (递交) that were still on their way to one repository."""

    __tablename__ = "deposit_check"

    backup_id: UUID = Field(primary_key=True, foreign_key="backup.id")
    repository: str = Field(primary_key=True)
    result: str = Field(description="verified_public, not_public, mismatch, unavailable or attested")
    source: str = Field(description="The look-up that said so, or `account` for a person's word")
    checked_at: datetime = Field(sa_type=DateTime(timezone=True))


class Operation(SQLModel, table=True):
    """One asked-for change and its answer: what makes a repeated request harmless.

    The API writes the row before it asks the workflow; the activity that has the effect writes
    the outcome in the same transaction.
    """

    __tablename__ = "operation"
    __table_args__ = (Index("operation_by_case", "case_id"),)

    id: UUID = Field(primary_key=True, description="Also the id of the workflow update")
    account_id: UUID | None = Field(default=None, description="Who asked; None for the procedure itself")
    case_id: UUID = Field(description="The backup, claim, attribution or handover it is about")
    kind: str
    request_digest: str = Field(default="", description="Keyed digest of what was asked")
    asked_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    outcome: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    finished_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class Notice(SQLModel, table=True):
    """A message to an account, shown when it next signs in."""

    __tablename__ = "notice"
    __table_args__ = (Index("notice_by_account", "account_id", "created_at", "id"),)

    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    backup_id: UUID | None = Field(default=None, foreign_key="backup.id")
    kind: str
    facts: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column(JSONB, nullable=False, server_default="{}")
    )
    """Numbers for its sentence; never a person."""
    due_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
