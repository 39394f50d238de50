"""Published releases of the rulebook and the signed acts that bring them into force. Rows never change."""

from datetime import UTC, date, datetime
from functools import partial

from sqlalchemy import CheckConstraint, DateTime
from sqlmodel import Field, SQLModel

now = partial(datetime.now, UTC)


class RulebookRelease(SQLModel, table=True):
    """An immutable snapshot of all rule files (规则版本)."""

    __tablename__ = "rulebook_release"

    digest: str = Field(primary_key=True, description="SHA-256 of `canonical`, hex")
    version: str = Field(unique=True, description="CalVer, e.g. 2026.11.1")
    canonical: bytes = Field(description="Canonical JSON of every rule file")
    published_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))


class RulebookAct(SQLModel, table=True):
    """One signed decision about a release (签署): proposed, approved, scheduled, withdrawn."""

    __tablename__ = "rulebook_act"
    __table_args__ = (
        CheckConstraint("(kind = 'schedule') = (effective_from IS NOT NULL)", name="date_iff_scheduled"),
    )

    release_digest: str = Field(primary_key=True, foreign_key="rulebook_release.digest")
    sequence: int = Field(primary_key=True, description="1, 2, 3 … within the release")
    kind: str
    signer: str = Field(description="Id of the key, a handle")
    at: datetime = Field(sa_type=DateTime(timezone=True), description="By the database's clock")
    effective_from: date | None = Field(default=None, index=True, description="First day it judges, in China")
    restores: str | None = Field(default=None, foreign_key="rulebook_release.digest")
    signature: bytes = Field(description="Ed25519 over the act's statement")
