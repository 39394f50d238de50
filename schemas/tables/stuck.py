"""Stuck work, and what operators did about it. No row names a person."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, String, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from schemas.stuck import Action, CaseKind, Cause


class StuckWork(SQLModel, table=True):
    """One reason why one workflow does not go on (滞留事项). Kept when it is over, with `cleared_at`."""

    __tablename__ = "stuck_work"
    __table_args__ = (
        UniqueConstraint("workflow_id", "cause", "activity", name="one_row_per_cause"),
        Index("stuck_work_open", "cause", "seen_at", postgresql_where=text("cleared_at IS NULL")),
        Index("stuck_work_by_case", "case_id"),
    )

    id: int | None = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True)
    )
    workflow_id: str
    case_id: UUID
    case_kind: CaseKind = Field(sa_type=String)
    cause: Cause = Field(sa_type=String)
    activity: str = Field(default="", description="Type of the activity that fails, or what is refused")
    local: bool = Field(default=False, description="A local activity: the worker alone can try it again")
    since: datetime = Field(sa_type=DateTime(timezone=True))
    seen_at: datetime = Field(sa_type=DateTime(timezone=True), description="When it was last so")
    attempt: int = 0
    failure: str | None = Field(default=None, description="Type of the failure or our code; never its text")
    people: int = Field(default=1, description="Accounts that wait for it")
    unit_code: str | None = None
    cleared_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class OperatorAction(SQLModel, table=True):
    """What an operator asked to be done with a case. Whether it was done is in its operation."""

    __tablename__ = "operator_action"
    __table_args__ = (UniqueConstraint("case_id", "revision", name="one_action_per_revision"),)

    id: UUID = Field(primary_key=True, description="That of the operation")
    case_id: UUID
    revision: int = Field(description="1, 2, 3 … of the case")
    action: Action = Field(sa_type=String)
    account_id: UUID = Field(description="The operator")
    reason: str
    reference: str | None = Field(default=None, description="Of support's own records")
    at: datetime = Field(sa_type=DateTime(timezone=True))
