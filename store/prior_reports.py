"""Prior reports (事先报告) that used a backup: written once; whatever would undo it is refused."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from schemas.contracts.prior_reports import RecordPriorReport
from schemas.errors import Refusal
from schemas.tables.backups import Backup
from schemas.tables.prior_reports import PriorReport
from store.database import Writer


def backup_of(session: Session, number: str) -> UUID:
    """The backup of a number.

    Raises:
        Refusal: ``number_unknown``.
    """
    found = session.exec(select(Backup.id).where(col(Backup.number) == number)).first()
    if found is None:
        raise Refusal("number_unknown")
    return found


def lock(writer: Writer, backup_id: UUID) -> None:
    """Hold a backup until the transaction ends: whatever would take it away waits, then sees the report."""
    writer.connection().execute(_LOCK, {"backup_id": backup_id})


def known(writer: Writer, report: RecordPriorReport) -> PriorReport | None:
    """What is recorded of a report and a backup; None when nothing is.

    Raises:
        Refusal: ``recorded_otherwise``, when another account or another time is recorded.
    """
    row = writer.get(PriorReport, (report.backup_id, report.report_id))
    if row is not None and (row.account_id, row.used_at) != (report.account_id, report.used_at):
        raise Refusal("recorded_otherwise")
    return row


def record(writer: Writer, report: RecordPriorReport, at: datetime) -> None:
    """Write a report down."""
    columns = report.model_dump(include={"report_id", "backup_id", "account_id", "used_at", "reported_by"})
    writer.add(PriorReport(**columns, recorded_at=at))


_LOCK = text("SELECT FROM backup WHERE id = :backup_id FOR UPDATE")
