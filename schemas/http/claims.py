"""Requests and answers about claims of legacy backups."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from schemas.claims import ClaimState
from schemas.http.backups import Pagination, Request

Id = Annotated[UUID, Field(strict=False)]
"""An id in a body: JSON has text only."""


class NewClaim(Request):
    """Who somebody was on the old platform."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "张示例", "phone": "138 0013 8000"}})

    name: str = Field(description="Name registered with the old platform")
    phone: str = Field(description="Mobile number registered with the old platform")


class NewCodeAttempt(Request):
    """The digits of the message."""

    model_config = ConfigDict(json_schema_extra={"example": {"code": "493027"}})

    code: str = Field(max_length=64)


class NewDecision(Request):
    """What an administrator decides."""

    model_config = ConfigDict(json_schema_extra={"example": {"decision": "agree"}})

    decision: Literal["agree", "decline"]


class NewUnitClaim(NewClaim):
    """Who somebody was on the old platform, and who is to hold their backups."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "张示例",
                "phone": "138 0013 8000",
                "delegate_account_id": "0b7f6c1e-3d43-5d1c-9c83-5b8f0a4f7f10",
            }
        }
    )

    delegate_account_id: Id = Field(description="One of the people found by POST /v1/unit-member-searches")


class NewReversal(Request):
    """Why a unit's claim is undone."""

    model_config = ConfigDict(json_schema_extra={"example": {"reason": "委托人选择有误"}})

    reason: str = Field(min_length=1, max_length=1_000)


class NewMemberSearch(Request):
    """Whom to look for among the unit's people."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "李示例"}})

    name: str


class ClaimOpened(BaseModel):
    """The same whether or not anything matches: what comes next."""

    id: UUID
    next: str = Field(description="Where the code is sent to")
    message: str
    code_valid_for: int = Field(description="Seconds")
    resend_after: int = Field(description="Seconds after which another code may be asked for")


class ClaimView(BaseModel):
    """A claim by a person. Until a code has proven it, nothing in it depends on a match."""

    id: UUID
    state: ClaimState
    message: str
    moved: int = Field(description="Backups that are in the account now")
    already_moved: int = Field(description="Backups that had been moved before")
    drafts_left: int = Field(description="Drafts, which stay with the old platform: they have no number")
    waiting_for_units: int = Field(description="Units on record that have not decided yet")
    created_at: datetime
    closed_at: datetime | None
    backups: str | None = Field(description="Where the backups are listed, once there are any")


class ClaimPage(BaseModel):
    """A page of claims, newest first."""

    claims: list[ClaimView]
    pagination: Pagination


class UnitClaimView(BaseModel):
    """A claim by a unit."""

    id: UUID
    state: ClaimState
    message: str
    administrator_id: UUID
    delegate_id: UUID
    approver_id: UUID | None
    backups: int = Field(description="Backups that wait to be moved, as last counted")
    moved: int
    already_moved: int
    drafts_left: int
    created_at: datetime
    closed_at: datetime | None
    reversible_until: datetime | None


class UnitClaimPage(BaseModel):
    """A page of claims by the unit, newest first."""

    claims: list[UnitClaimView]
    pagination: Pagination


class MemberView(BaseModel):
    """One of the unit's people; the phone tells people of one name apart."""

    account_id: UUID
    name: str
    phone: str = Field(description="Masked")


class MembersView(BaseModel):
    """The unit's authorised people of one name."""

    members: list[MemberView]


class UnitConfirmationView(BaseModel):
    """A proven claim of somebody from another unit, on which this unit decides."""

    claim_id: UUID
    name: str = Field(description="Of the claimant's account, masked")
    phone: str = Field(description="Of the claimant's account, masked")
    unit_name: str = Field(description="The claimant's unit today")
    backups: int
    asked_at: datetime
    decide_by: datetime


class UnitConfirmationPage(BaseModel):
    """A page of claims to decide, the oldest first."""

    confirmations: list[UnitConfirmationView]
    pagination: Pagination
