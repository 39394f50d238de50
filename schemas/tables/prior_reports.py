"""Prior reports (事先报告) that used a backup, and how much the systems that ask have asked."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime
from sqlmodel import Field, SQLModel


class PriorReport(SQLModel, table=True):
    """A prior report of the HGR service system used a backup: from then on the backup stays what it is."""

    __tablename__ = "prior_report"

    backup_id: UUID = Field(primary_key=True, foreign_key="backup.id")
    report_id: str = Field(primary_key=True, max_length=64, description="Of the HGR service system")
    account_id: UUID = Field(foreign_key="account.id", description="Who reports")
    used_at: datetime = Field(sa_type=DateTime(timezone=True), description="When it was used there")
    recorded_at: datetime = Field(sa_type=DateTime(timezone=True), description="When this was told here")
    reported_by: UUID = Field(description="The system that told it")


class ServiceQuota(SQLModel, table=True):
    """What a system has taken of its quota in the window that is running, or the last that ran."""

    __tablename__ = "service_quota"

    client_id: UUID = Field(primary_key=True)
    window_from: datetime = Field(sa_type=DateTime(timezone=True))
    spent: int
