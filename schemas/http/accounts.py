"""Answers about accounts."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from schemas.http.backups import Pagination


class AccountView(BaseModel):
    """The signed-in account, and what it may do yet."""

    account_id: UUID
    name: str
    unit_code: str
    unit_name: str
    real_name_verified: bool
    unit_authorised: bool
    roles: list[str]


class NoticeView(BaseModel):
    """A message of the platform to an account."""

    id: UUID
    kind: Literal["draft_expires"]
    backup_id: UUID
    message: str
    created_at: datetime


class NoticePage(BaseModel):
    """A page of notices, newest first."""

    notices: list[NoticeView]
    pagination: Pagination
