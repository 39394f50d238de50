"""What previews of handovers showed: kept for a day, so that who confirms too late sees what changed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import text
from sqlmodel import col, select

from schemas.tables.backups import Backup
from store.database import Reader, Writer
from store.handovers import Holding

KEPT = timedelta(days=1)


class Change(NamedTuple):
    """Backups of one kind of change.

    Attributes:
        total: How many.
        first: The newest of them.
    """

    total: int
    first: Sequence[Backup]


class Difference(NamedTuple):
    """How the backups of a delegate differ from those that were shown."""

    came: Change
    went: Change


def remember(writer: Writer, holding: Holding, at: datetime) -> None:
    """Keep which backups a delegate holds now, under their digest; forget some of what is too old."""
    held = {"delegate": holding.delegate_id, "unit": holding.unit_code, "at": at}
    writer.connection().execute(_REMEMBER, held)
    writer.connection().execute(_FORGET, {"before": at - KEPT})


def difference(reader: Reader, holding: Holding, digest: str, limit: int) -> Difference | None:
    """How the backups differ from those that a preview showed; None where no preview had this digest."""
    shown = {"delegate": holding.delegate_id, "unit": holding.unit_code, "digest": digest}
    row = reader.connection().execute(_DIFFERENCE, {**shown, "limit": limit}).first()
    if row is None:
        return None
    newest = {each.id: each for each in _backups(reader, [*row.came_first, *row.went_first])}
    return Difference(
        Change(row.came, [newest[id_] for id_ in row.came_first]),
        Change(row.went, [newest[id_] for id_ in row.went_first]),
    )


def _backups(reader: Reader, ids: Sequence[object]) -> Sequence[Backup]:
    return reader.exec(select(Backup).where(col(Backup.id).in_(ids))).all()


_REMEMBER = text("""
    INSERT INTO handover_preview (unit_code, delegate_id, digest, backups, shown_at)
    SELECT unit_code, delegate_id,
           encode(sha256(string_agg(uuid_send(id), CAST('' AS bytea) ORDER BY id)), 'hex'),
           array_agg(id ORDER BY id), CAST(:at AS timestamptz)
    FROM backup WHERE delegate_id = :delegate AND unit_code = :unit
    GROUP BY unit_code, delegate_id
    ON CONFLICT (unit_code, delegate_id, digest) DO UPDATE SET shown_at = excluded.shown_at
""")
_FORGET = text("""
    DELETE FROM handover_preview WHERE (unit_code, delegate_id, digest) IN (
        SELECT unit_code, delegate_id, digest FROM handover_preview WHERE shown_at < :before
        ORDER BY shown_at LIMIT 100 FOR UPDATE SKIP LOCKED
    )
""")
"""A few at a time, and none that is being shown again: whoever looks must not wait for whoever tidies up."""
_DIFFERENCE = text("""
    WITH shown AS (
        SELECT unnest(backups) AS id FROM handover_preview
        WHERE unit_code = :unit AND delegate_id = :delegate AND digest = :digest
    ), held AS (
        SELECT id, created_at FROM backup WHERE delegate_id = :delegate AND unit_code = :unit
    ), came AS (
        SELECT id, held.created_at FROM held LEFT JOIN shown USING (id) WHERE shown.id IS NULL
    ), went AS (
        SELECT id, backup.created_at FROM shown JOIN backup USING (id) LEFT JOIN held USING (id)
        WHERE held.id IS NULL
    )
    SELECT (SELECT count(*) FROM came) AS came, (SELECT count(*) FROM went) AS went,
           ARRAY (SELECT id FROM came ORDER BY created_at DESC, id DESC LIMIT :limit) AS came_first,
           ARRAY (SELECT id FROM went ORDER BY created_at DESC, id DESC LIMIT :limit) AS went_first
    WHERE EXISTS (SELECT FROM shown)
""")
