"""Published releases of the rulebook."""

from datetime import UTC, date, datetime
from functools import partial

from sqlalchemy import DateTime
from sqlmodel import Field, SQLModel

now = partial(datetime.now, UTC)


class RulebookRelease(SQLModel, table=True):
    """An immutable, dated snapshot of all rule files (规则版本)."""

    __tablename__ = "rulebook_release"

    digest: str = Field(primary_key=True, description="SHA-256 of `canonical`, hex")
    version: str = Field(unique=True, description="CalVer, e.g. 2026.11.1")
    effective_from: date = Field(index=True, description="First day it judges (Asia/Shanghai)")
    canonical: bytes = Field(description="Canonical JSON of every rule file")
    published_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
