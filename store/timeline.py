"""What our own records tell of a case: the audit trail, and of a backup its changes of delegate."""

from sqlalchemy import text
from sqlmodel import col, select

from schemas.tables.audit import AuditEvent
from schemas.timeline import Record
from store.cases import Case
from store.database import Reader

MOST = 20_000
"""Records of one case; far more than any case has."""


def records(reader: Reader, case: Case) -> list[Record]:
    """The records of a case, the oldest first."""
    mine = (
        select(AuditEvent).where(AuditEvent.case_id == case.case_id).order_by(col(AuditEvent.id)).limit(MOST)
    )
    found = [_record(event) for event in reader.exec(mine)]
    if case.kind == "backup":
        found += [
            Record(None, row.since, "delegated", "system", None, "backup", None, {"outcome": row.outcome})
            for row in reader.execute(_DELEGATED, {"backup_id": case.case_id})
        ]
    return sorted(found, key=lambda record: record.at)


def record(reader: Reader, case: Case, id_: int) -> AuditEvent | None:
    """One record of a case; None for what is none, or another's."""
    event = reader.get(AuditEvent, id_)
    return event if event is not None and event.case_id == case.case_id else None


def _record(event: AuditEvent) -> Record:
    return Record(
        event.id,
        event.at,
        event.act,
        event.actor_kind,
        event.actor_id,
        event.case_kind,
        event.reason,
        event.facts,
    )


_DELEGATED = text(
    """
    SELECT later.since, jsonb_build_object(
        'from', left(earlier.delegate_id::text, 8), 'to', left(later.delegate_id::text, 8)) AS outcome
    FROM delegation AS later JOIN delegation AS earlier
        ON earlier.backup_id = later.backup_id AND earlier.until = later.since AND earlier.since < later.since
    WHERE later.backup_id = :backup_id ORDER BY later.since
    """
)
