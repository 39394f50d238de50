"""Releases of the rulebook and their signed acts, whose rows never change; comparisons of releases."""

from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, String
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
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


class RuleComparison(SQLModel, table=True):
    """How far a comparison (比较) of releases has come. Who asked, and how it ended, is in its operation."""

    __tablename__ = "rule_comparison"

    id: UUID = Field(primary_key=True, description="Also the case of its operation, and in its workflow's id")
    old: str | None = Field(
        default=None, foreign_key="rulebook_release.digest", description="None: as each backup was judged"
    )
    new: str = Field(foreign_key="rulebook_release.digest")
    done: int = Field(default=0, description="Records or backups judged so far")
    total: int | None = Field(default=None, description="Of how many; None until they are counted")
    resume: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    """Where an interrupted replay of backups goes on."""
    result: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    """What a comparison of two releases found; for a replay, `RuleImpactChange` holds it."""


class RuleImpactChange(SQLModel, table=True):
    """One backup that another release would judge otherwise."""

    __tablename__ = "rule_impact_change"

    comparison_id: UUID = Field(primary_key=True, foreign_key="rule_comparison.id")
    backup_id: UUID = Field(primary_key=True)
    state: str = Field(description="numbered or open")
    before: str
    after: str
    rules: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
