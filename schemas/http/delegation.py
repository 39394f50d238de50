"""Requests and answers about handovers, and about who held a backup."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from schemas.delegation import HandoverState
from schemas.http.backups import BackupSummary, Pagination, Request
from schemas.http.claims import Id, MemberView

_OLD, _NEW = "0b7f6c1e-3d43-5d1c-9c83-5b8f0a4f7f10", "7a1d2c54-0b7e-5f0a-8d8e-2f2f8a1c9e21"


class NewPreview(Request):
    """Whose backups are to be handed over, and to whom."""

    model_config = ConfigDict(json_schema_extra={"example": {"from": _OLD, "to": _NEW}})

    from_: Id = Field(alias="from", description="Account of the old delegate")
    to: Id = Field(description="Account of the new delegate, found by POST /v1/unit-member-searches")


class NewHandover(NewPreview):
    """A handover as it was shown."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"from": _OLD, "to": _NEW, "digest": "9f86d081884c7d65" * 4}}
    )

    digest: str = Field(pattern="^[0-9a-f]{64}$", description="Of the preview: the very set of backups")


class Staying(BaseModel):
    """Backups of the old delegate that do not move, and why."""

    reason: Literal["held_for_other_units"]
    backups: int
    message: str


class PreviewView(BaseModel):
    """What a handover would do now."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    from_: MemberView = Field(alias="from")
    to: MemberView
    namesakes: list[MemberView] = Field(description="The unit's other people of the new delegate's name")
    backups: int = Field(description="How many move, drafts included")
    states: dict[str, int] = Field(description="How many of them are in each state")
    first: list[BackupSummary] = Field(description="The newest of them")
    staying: list[Staying]
    consents: list[Literal["approval", "acceptance"]] = Field(
        description="Who has to agree before they move: a second administrator, the new delegate"
    )
    digest: str = Field(description="SHA-256 of the ids of all that move, in order: what a handover confirms")


class DifferenceView(BaseModel):
    """How the backups of a delegate differ from those that a preview showed."""

    came: int = Field(description="How many are theirs that were not shown")
    came_first: list[BackupSummary] = Field(description="The newest of them")
    went: int = Field(description="How many that were shown are theirs no more")
    went_first: list[BackupSummary] = Field(description="The newest of them")


class HandoverView(BaseModel):
    """A handover: all backups of one delegate to another."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    id: UUID
    state: HandoverState
    message: str
    administrator_id: UUID
    from_: UUID = Field(alias="from")
    to: UUID
    approver_id: UUID | None
    backups: int = Field(description="As last counted")
    moved: int
    gone_on: int = Field(description="Of what an undoing would take back: gone on to others, and left there")
    gone_on_first: list[UUID] = Field(description="Up to 50 of these backups")
    undoes: UUID | None = Field(description="The handover that this one undoes")
    undone_by: UUID | None
    undo_until: datetime | None
    decide_by: datetime | None = Field(description="When it lapses unless whoever it waits for agrees")
    created_at: datetime
    closed_at: datetime | None


class HandoverPage(BaseModel):
    """A page of handovers, newest first."""

    handovers: list[HandoverView]
    pagination: Pagination


class DelegationView(BaseModel):
    """Who held a backup from when to when."""

    name: str | None = Field(description="Masked; None for people of other units")
    unit_name: str
    since: datetime
    until: datetime | None = Field(description="None: to this day")
    by: Literal["creation", "correction", "attribution", "claim", "unit_claim", "handover"]


class DelegationsView(BaseModel):
    """Everybody who held a backup, the first one first."""

    delegations: list[DelegationView]
