"""Requests and answers about backups that have a number."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from schemas.http.backups import ReleaseRef, Request


class NewAmendment(Request):
    """Why a numbered backup is withdrawn, or corrected."""

    model_config = ConfigDict(json_schema_extra={"example": {"reason": "补录第二批样本的文件"}})

    reason: str = Field(min_length=1, max_length=1_000)


class NumberWithdrawalView(BaseModel):
    """A numbered backup that has been withdrawn. It keeps its number and can be used no more."""

    backup_id: UUID
    number: str
    withdrawn_at: datetime
    reason: str


class CorrectionView(BaseModel):
    """A draft that corrects a numbered backup; it is filled in and submitted as every draft."""

    backup_id: UUID = Field(description="The draft")
    corrects_id: UUID = Field(description="The numbered backup")
    expires_at: datetime


class VersionView(BaseModel):
    """One version of a numbered backup."""

    version: int
    backup_id: UUID = Field(description="Where its contents are: a former version has a row of its own")
    sealed_at: datetime
    release: ReleaseRef | None = Field(description="The release that judged it; None for a legacy backup")
    reason: str | None = Field(description="Why it was made; None for the first")


class VersionsView(BaseModel):
    """What has become of a numbered backup."""

    versions: list[VersionView] = Field(description="The latest first")
    withdrawal: NumberWithdrawalView | None = Field(description="None while its number stands")
