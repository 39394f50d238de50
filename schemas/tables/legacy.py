"""What was imported from the old platform besides its numbered backups, which are rows of `backup`."""

from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, Integer
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

now = partial(datetime.now, UTC)


class LegacyRegistrant(SQLModel, table=True):
    """A legacy registrant (原系统注册人): one name, phone and unit under which the old platform kept backups.

    The id follows from the three, by a keyed index: importing them again finds the same row.
    """

    __tablename__ = "legacy_registrant"

    id: UUID = Field(primary_key=True)
    name: bytes = Field(description="Encrypted, as the file had it")
    phone: bytes = Field(description="Encrypted, E.164")
    person_index: bytes = Field(index=True, description="Blind index of normalised name and phone")
    unit_code: str | None = Field(
        default=None, max_length=18, description="None where the file had a name only"
    )
    unit_name: str | None = Field(default=None, description="None where the file had a code only")


class LegacyDraft(SQLModel, table=True):
    """A draft of the old platform: it has no number, stays there, and is only counted."""

    __tablename__ = "legacy_draft"

    id: UUID = Field(primary_key=True, description="Follows from registrant, date and title")
    registrant_id: UUID = Field(foreign_key="legacy_registrant.id", index=True)


class LegacyImport(SQLModel, table=True):
    """How far the import of one file has come: written with each chunk of its rows, in its transaction."""

    __tablename__ = "legacy_import"

    digest: str = Field(primary_key=True, description="Of the file's bytes and of the rules that read them")
    line: int = Field(default=0, description="The last line dealt with")
    counts: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False, server_default="{}"))
    started_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    finished_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class LegacyImportFault(SQLModel, table=True):
    """One row that was not imported, and why; never the value."""

    __tablename__ = "legacy_import_fault"
    __table_args__ = (Index("legacy_import_fault_by_import", "digest", "line"),)

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    digest: str = Field(foreign_key="legacy_import.digest")
    line: int
    column: str | None = Field(default=None, description="As the file's header names it")
    code: str
    facts: list[int] = Field(sa_column=Column(ARRAY(Integer), nullable=False))
