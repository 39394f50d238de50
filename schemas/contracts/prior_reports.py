"""What crosses Temporal for a prior report: ids and times; no person.

Fields are only ever added, with a default (see `schemas.contracts.backups`).
"""

from datetime import datetime
from uuid import UUID, uuid5

from schemas.contracts.backups import Message


class RecordPriorReport(Message):
    """A prior report used a backup.

    Attributes:
        report_id: Of the HGR service system.
        used_at: When the report used it.
        reported_by: The system that tells it.
    """

    report_id: str
    backup_id: UUID
    number: str
    account_id: UUID
    used_at: datetime
    reported_by: UUID

    @property
    def workflow_id(self) -> str:
        """The same for whoever tells it again."""
        return f"prior-report-{uuid5(self.backup_id, self.report_id)}"


class PriorReportOrder(Message):
    """What the activity is told."""

    report: RecordPriorReport
    at: datetime


class PriorReportRecorded(Message):
    """It is recorded: now, or it was before."""

    recorded_at: datetime
