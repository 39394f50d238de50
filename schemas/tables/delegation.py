"""Handovers of a delegate's backups to another person of the unit."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Column, DateTime, Index, String, Uuid
from sqlmodel import Field, SQLModel

from schemas.delegation import HandoverState


class Handover(SQLModel, table=True):
    """A handover (移交): all backups that one delegate holds for a unit go to another of its people.

    Undoing one (撤销) is a handover itself, of those backups that are still where the first one put them.
    """

    __tablename__ = "handover"
    __table_args__ = (
        Index("handover_by_unit", "unit_code", "created_at", "id"),
        Index("handover_by_old_delegate", "from_id"),
        Index("handover_by_new_delegate", "to_id"),
        Index("handover_by_undone", "undoes"),
    )

    id: UUID = Field(primary_key=True, description="Follows from administrator and Idempotency-Key")
    account_id: UUID = Field(foreign_key="account.id", description="The administrator who asked for it")
    unit_code: str = Field(foreign_key="unit.code", description="For which the backups are held")
    from_id: UUID = Field(foreign_key="account.id", description="The old delegate")
    to_id: UUID = Field(foreign_key="account.id", description="The new delegate")
    digest: str | None = Field(default=None, description="Of the backups shown; None when undoing")
    undoes: UUID | None = Field(default=None, foreign_key="handover.id", description="The handover it undoes")
    state: HandoverState = Field(default="stored", sa_type=String)
    backups: int = Field(default=0, description="As last counted")
    moved: int = 0
    gone_on: int = Field(default=0, description="Of what an undoing would take back: gone on to others")
    approver_id: UUID | None = Field(default=None, foreign_key="account.id", description="The second one")
    reason: str | None = Field(default=None, description="Why nothing moved; a code")
    move_id: UUID | None = Field(default=None, description="The operation that moved; what an undoing undoes")
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    due_at: datetime | None = Field(
        default=None, sa_type=DateTime(timezone=True), description="When the present state ends by itself"
    )
    closed_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    undo_until: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class HandoverPreview(SQLModel, table=True):
    """The backups that a preview showed: kept for a day, so that who confirms too late sees what changed."""

    __tablename__ = "handover_preview"
    __table_args__ = (Index("handover_preview_by_time", "shown_at"),)

    unit_code: str = Field(primary_key=True, description="For which they were held")
    delegate_id: UUID = Field(primary_key=True, description="Who held them")
    digest: str = Field(primary_key=True, max_length=64, description="SHA-256 of the ids in order, hex")
    backups: list[UUID] = Field(sa_column=Column(ARRAY(Uuid), nullable=False))
    shown_at: datetime = Field(sa_type=DateTime(timezone=True))
