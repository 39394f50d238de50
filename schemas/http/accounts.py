"""Answers about accounts."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from schemas.http.backups import Pagination


class AttributionView(BaseModel):
    """What became of the legacy backups that were registered under the account's name, phone and unit."""

    state: Literal["not_possible", "pending", "done"] = Field(
        description="not_possible: without authorised unit, or a phone that no code can be sent to"
    )
    moved: int = Field(default=0, description="Numbered backups that are the account's now")
    drafts_left: int = Field(default=0, description="Drafts, which stay with the old platform")
    already_moved: int = Field(default=0, description="Backups that somebody had claimed before")
    claim_hint: str


class AccountView(BaseModel):
    """The signed-in account, and what it may do yet."""

    account_id: UUID
    name: str
    unit_code: str
    unit_name: str
    real_name_verified: bool
    unit_authorised: bool
    roles: list[str]
    attribution: AttributionView


class NoticeView(BaseModel):
    """A message of the platform to an account."""

    id: UUID
    kind: str
    backup_id: UUID | None
    message: str
    created_at: datetime


class NoticePage(BaseModel):
    """A page of notices, newest first."""

    notices: list[NoticeView]
    pagination: Pagination
