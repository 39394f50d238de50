"""Certificates that were issued, and how often the public has asked of late."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index
from sqlmodel import Field, SQLModel


class IssuedCertificate(SQLModel, table=True):
    """The digest of a certificate (备份证明) that was handed out: it stays known whatever changes later."""

    __tablename__ = "issued_certificate"
    __table_args__ = (Index("issued_certificate_by_backup", "backup_id"),)

    sha256: str = Field(primary_key=True, max_length=64, description="Of the PDF, hex")
    backup_id: UUID = Field(foreign_key="backup.id")
    version: int = Field(default=1, sa_column_kwargs={"server_default": "1"}, description="Of the backup")
    issued_at: datetime = Field(sa_type=DateTime(timezone=True), description="When it first was")


class PublicVisit(SQLModel, table=True):
    """How often a network address has asked in the minute that is running; gone soon after."""

    __tablename__ = "public_visit"
    __table_args__ = (Index("public_visit_by_window", "window_from"),)

    address_index: bytes = Field(primary_key=True, description="Blind index of the network address")
    window_from: datetime = Field(sa_type=DateTime(timezone=True))
    visits: int
