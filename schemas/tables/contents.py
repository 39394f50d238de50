"""Content: immutable rows that a step refers to once it is saved. Rows nothing refers to are orphans."""

from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, Integer, String
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

now = partial(datetime.now, UTC)


class FormContent(SQLModel, table=True):
    """One filled form. Fields the form marks `x-personal` or does not declare are apart, encrypted."""

    __tablename__ = "form_content"

    id: UUID = Field(primary_key=True)
    account_id: UUID
    sha256: str = Field(description="Of the canonical JSON of the whole form, keyed")
    body: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    personal: bytes | None = None
    stored_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))


class ManifestContent(SQLModel, table=True):
    """One uploaded list of data files (文件清单)."""

    __tablename__ = "manifest"

    id: UUID = Field(primary_key=True)
    account_id: UUID
    sha256: str = Field(description="Of the uploaded bytes")
    form: str = Field(description="Form of one row, by the step it was uploaded for")
    format: str
    listing: str = Field(description="file_list or gsa_human_run_table")
    rows: int = Field(description="Rows that could be read")
    unreadable_rows: int
    categories: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    repositories: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    in_transit: list[str] = Field(
        sa_column=Column(ARRAY(String), nullable=False), description="Repositories that wait for a deposit"
    )
    stored_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))


class ManifestRow(SQLModel, table=True):
    """One readable row, normalised. JSON, so that a field the policy team adds needs no migration."""

    __tablename__ = "manifest_row"

    manifest_id: UUID = Field(primary_key=True)
    line: int = Field(primary_key=True, description="Line of the uploaded file, the header is 1")
    record: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


LONGEST_ACCESSION = 40
"""Characters, as the form of a data file has it."""


class ManifestAccession(SQLModel, table=True):
    """An accession (编号) that a list names: what backups are searched by."""

    __tablename__ = "manifest_accession"

    accession: str = Field(primary_key=True, max_length=LONGEST_ACCESSION)
    manifest_id: UUID = Field(primary_key=True)


class ManifestFault(SQLModel, table=True):
    """One row or cell that could not be read; whatever the rules say, it is there."""

    __tablename__ = "manifest_fault"
    __table_args__ = (Index("manifest_fault_by_manifest", "manifest_id", "id"),)

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    manifest_id: UUID
    code: str
    line: int | None = None
    column: str | None = Field(default=None, description="Its name when that is a known one, else its number")
    facts: list[int] = Field(default=[], sa_column=Column(ARRAY(Integer), nullable=False))


class ManifestJudgement(SQLModel, table=True):
    """What one release said of one manifest, in counts."""

    __tablename__ = "manifest_judgement"

    manifest_id: UUID = Field(primary_key=True)
    release_digest: str = Field(primary_key=True, foreign_key="rulebook_release.digest")
    errors: int
    warnings: int
    advice: int
    judged_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))


class ManifestFinding(SQLModel, table=True):
    """One finding of one release on one row of a manifest."""

    __tablename__ = "manifest_finding"
    __table_args__ = (Index("manifest_finding_by_judgement", "manifest_id", "release_digest", "id"),)

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    manifest_id: UUID
    release_digest: str
    rule: str
    severity: str
    pointer: str
    line: int | None = None
    column: str | None = None
