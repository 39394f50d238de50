"""Reading the audit trail: its events, its signed heads, proofs, and what is wrong with it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from joserfc.jwk import KeySet
from sqlalchemy import Row, text
from sqlmodel import Session

from audit.heads import HeadError, TreeHead, read_head
from audit.records import moment
from audit.trail import Fault, Findings, walk
from audit.tree import consistency_path, inclusion_path
from schemas.http.audit import AuditRecord, InclusionProof
from store.database import Reader
from store.sealing import COLUMNS, hashes, record, sealed_rows, tip


class Filters(NamedTuple):
    """Which events are asked for; None: any."""

    case_id: UUID | None = None
    actor_id: UUID | None = None
    act: str | None = None
    at_from: datetime | None = None
    at_before: datetime | None = None


class Head(NamedTuple):
    """A tree head as stored."""

    size: int
    root: bytes
    signed: str
    signed_at: datetime


def events(reader: Reader, filters: Filters, before: int | None, limit: int) -> Sequence[Row[Any]]:
    """Events with the place of their seal, newest first.

    Args:
        reader: The snapshot.
        filters: Which.
        before: The last id of the page before.
        limit: How many.
    """
    asked = {name: value for name, value in filters._asdict().items() if value is not None}
    if before is not None:
        asked["before"] = before
    conditions = " AND ".join(["TRUE", *(_CONDITIONS[name] for name in asked)])
    query = text(_EVENTS.format(columns=COLUMNS, conditions=conditions))
    return reader.connection().execute(query, {**asked, "limit": limit}).all()


def heads(session: Session, before: int | None = None, limit: int | None = None) -> list[Head]:
    """Signed tree heads, newest first."""
    rows = session.connection().execute(_HEADS, {"before": before, "limit": limit})
    return [Head(*row) for row in rows]


def prove(session: Session, event_id: int) -> InclusionProof | None:
    """That an event is in the trail, to the first head over it: the same for ever.

    Returns:
        None while no head covers it, and where there is no such event.
    """
    row = session.connection().execute(_EVENT, {"event_id": event_id}).first()
    if row is None:
        return None
    path = hashes(session, inclusion_path(row.seq, row.size))
    return InclusionProof(
        event=AuditRecord.model_validate(record(row)),
        seq=row.seq,
        path=[each.hex() for each in path],
        size=row.size,
        root=row.root.hex(),
        head=row.signed,
    )


def continuation(session: Session, old: int, new: int) -> list[str]:
    """Hashes that prove that the tree of a size begins with the tree of another (RFC 6962, section 2.1.2).

    Raises:
        ValueError: The old tree is empty or larger than the new one.
    """
    return [each.hex() for each in hashes(session, consistency_path(old, new))]


def event_of_backup(session: Session, backup_id: UUID) -> int | None:
    """The event by which a numbered backup came to be what it is.

    That of the submission that numbered it, or that last corrected it; for one that came with its number, of
    the operation that first put it into an account. None where nothing tells how.
    """
    found: int | None = session.connection().execute(_OF_BACKUP, {"backup_id": backup_id}).scalar()
    return found


def backup_of_number(session: Session, number: str) -> UUID | None:
    """The backup that has a number."""
    found: UUID | None = session.connection().execute(_OF_NUMBER, {"number": number}).scalar()
    return found


def verified(session: Session, keys: KeySet, known: Sequence[TreeHead] = ()) -> Findings:
    """Walk the whole trail in the database again.

    Args:
        session: One snapshot.
        keys: The platform's public keys, from where one trusts them.
        known: Tree heads that were kept elsewhere: they tell if those in the database were taken away.
    """
    faults, trusted = [], list(known)
    for head in heads(session):
        try:
            said = read_head(head.signed, keys)
        except HeadError:
            faults.append(Fault("head_unreadable", head.size))
            continue
        if (said.size, said.root, said.at) != (head.size, head.root.hex(), moment(head.signed_at)):
            faults.append(Fault("head_unreadable", head.size))
        trusted.append(said)
    faults += walk(sealed_rows(session), trusted)
    faults += [Fault(row.code, None, row.id) for row in session.connection().execute(_STRAY)]
    covered = max((head.size for head in trusted), default=0)
    return Findings(tip(session).size, covered, faults)


_CONDITIONS = {
    "case_id": "event.case_id = :case_id",
    "actor_id": "event.actor_id = :actor_id",
    "act": "event.act = :act",
    "at_from": "event.at >= :at_from",
    "at_before": "event.at < :at_before",
    "before": "event.id < :before",
}
_EVENTS = """
    SELECT {columns}, seal.seq
    FROM audit_event AS event LEFT JOIN audit_seal AS seal ON seal.event_id = event.id
    WHERE {conditions} ORDER BY event.id DESC LIMIT :limit
"""
_HEADS = text("""
    SELECT size, root, signed, signed_at FROM audit_tree_head
    WHERE CAST(:before AS bigint) IS NULL OR size < :before ORDER BY size DESC LIMIT :limit
""")
_EVENT = text(f"""
    SELECT {COLUMNS}, seal.seq, head.size, head.root, head.signed
    FROM audit_event AS event
    JOIN audit_seal AS seal ON seal.event_id = event.id
    CROSS JOIN LATERAL (
        SELECT size, root, signed FROM audit_tree_head WHERE size > seal.seq ORDER BY size LIMIT 1
    ) AS head
    WHERE event.id = :event_id
""")  # noqa: S608 - names of our own
_OF_BACKUP = text("""
    SELECT COALESCE(
        (
            SELECT event.id FROM audit_event AS event
            WHERE event.case_id IN (
                  SELECT CAST(:backup_id AS uuid) UNION
                  SELECT draft_id FROM amendment WHERE backup_id = :backup_id AND done_at IS NOT NULL
              )
              AND event.act = 'submit' AND event.facts #>> '{outcome,verdict,number}' = (
                  SELECT number FROM backup WHERE id = :backup_id
              )
            ORDER BY event.id DESC LIMIT 1
        ),
        (
            SELECT event.id
            FROM delegation
            JOIN operation ON operation.id = delegation.operation_id
            JOIN audit_event AS event
              ON event.case_id = operation.case_id AND event.operation_id = operation.id
            WHERE delegation.backup_id = :backup_id
            ORDER BY delegation.since, event.id LIMIT 1
        )
    )
""")
_OF_NUMBER = text("SELECT id FROM backup WHERE number = :number")
_STRAY = text("""
    SELECT event.id, 'event_unsealed' AS code FROM audit_event AS event
    WHERE NOT EXISTS (SELECT FROM audit_seal AS seal WHERE seal.event_id = event.id)
      AND NOT EXISTS (SELECT FROM audit_unsealed AS waiting WHERE waiting.event_id = event.id)
    UNION ALL
    SELECT waiting.event_id,
           CASE WHEN event.id IS NULL THEN 'event_missing' ELSE 'event_overdue' END
    FROM audit_unsealed AS waiting LEFT JOIN audit_event AS event ON event.id = waiting.event_id
    WHERE event.id IS NULL OR event.at < clock_timestamp() - interval '1 minute'
    ORDER BY 1
""")
