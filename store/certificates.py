"""What a certificate says of a backup, which certificates were issued, and what the public may learn."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text

from schemas.contracts.claims import seconds_until
from schemas.errors import Refusal
from schemas.tables.backups import Backup
from store.audit import record
from store.database import Reader, Writer


class StoredList(NamedTuple):
    """One list of a numbered backup."""

    step: str
    sha256: str
    rows: int
    categories: list[str]


class Standing(NamedTuple):
    """What is so of a backup number.

    Attributes:
        numbered: It was given out and stands.
        withdrawn_at: None while it stands.
        version: Of the backup's contents, now.
        release: Version and digest of the release that judged it.
        issued: Of which version a certificate has the digest that was asked about; None where none has.
    """

    numbered: bool
    numbered_at: datetime
    withdrawn_at: datetime | None
    version: int
    release: tuple[str, str] | None
    issued: int | None


def lists(reader: Reader, backup_id: UUID) -> list[StoredList]:
    """The lists of data files of a backup, by step."""
    rows = reader.connection().execute(_LISTS, {"backup_id": backup_id})
    return [StoredList(*row) for row in rows]


def forms(reader: Reader, backup_id: UUID) -> Mapping[str, Any]:
    """What the forms of a backup say, personal fields left out."""
    said: dict[str, Any] = {}
    for (body,) in reader.connection().execute(_FORMS, {"backup_id": backup_id}):
        said |= body
    return said


def issue(writer: Writer, sha256: str, backup: Backup, account_id: UUID) -> None:
    """Remember the digest of a certificate, and who had it set first; issued again it is the same one."""
    about = {"backup_id": backup.id, "version": backup.version}
    issued = {"sha256": sha256, **about, "at": datetime.now(UTC)}
    if writer.connection().execute(_ISSUE, issued).rowcount:
        record(
            writer.connection(),
            act="certificate",
            actor_kind="person" if account_id == backup.delegate_id else "unit_administrator",
            actor_id=account_id,
            case_kind="backup",
            case_id=backup.id,
            facts={"sha256": sha256, "version": backup.version},
        )


def standing(reader: Reader, number: str, sha256: str | None) -> Standing | None:
    """What is so of a number, and of a digest said to be of its certificate; None where there is none."""
    row = reader.connection().execute(_STANDING, {"number": number, "sha256": sha256}).first()
    if row is None:
        return None
    release = (row.release_version, row.release_digest) if row.release_version is not None else None
    return Standing(row.numbered, row.numbered_at, row.withdrawn_at, row.version, release, row.issued)


def count_visit(writer: Writer, address_index: bytes, most: int, window: timedelta, at: datetime) -> None:
    """Count one question of a network address.

    Args:
        writer: The transaction.
        address_index: Blind index of the address.
        most: Questions in one window.
        window: Its length; windows are the same for all.
        at: Now.

    Raises:
        Refusal: ``rate_limited``, with the seconds until the window ends.
    """
    began = at - (at - _EPOCH) % window
    visits = writer.connection().execute(_VISIT, {"address": address_index, "window": began}).scalar_one()
    if visits == 1:
        writer.connection().execute(_FORGET, {"window": began})
    if visits > most:
        raise Refusal("rate_limited", retry_after=seconds_until(began + window, at))


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_LISTS = text("""
    SELECT step.step, manifest.sha256, manifest.rows, manifest.categories
    FROM backup_step AS step JOIN manifest ON manifest.id = step.content_id
    WHERE step.backup_id = :backup_id ORDER BY step.step
""")
_FORMS = text("""
    SELECT form_content.body
    FROM backup_step AS step JOIN form_content ON form_content.id = step.content_id
    WHERE step.backup_id = :backup_id ORDER BY step.step
""")
_ISSUE = text("""
    INSERT INTO issued_certificate (sha256, backup_id, version, issued_at)
    VALUES (:sha256, :backup_id, :version, :at)
    ON CONFLICT DO NOTHING
""")
_STANDING = text("""
    SELECT backup.state = 'numbered' AS numbered,
           COALESCE(backup.closed_at, backup.created_at) AS numbered_at,
           (
               SELECT done_at FROM amendment
               WHERE backup_id = backup.id AND kind = 'withdrawal' AND done_at IS NOT NULL
           ) AS withdrawn_at,
           backup.version, backup.release_digest, release.version AS release_version,
           (
               SELECT version FROM issued_certificate AS issued
               WHERE issued.sha256 = :sha256 AND issued.backup_id = backup.id
           ) AS issued
    FROM backup LEFT JOIN rulebook_release AS release ON release.digest = backup.release_digest
    WHERE backup.number = :number
""")
_VISIT = text("""
    INSERT INTO public_visit AS visit (address_index, window_from, visits) VALUES (:address, :window, 1)
    ON CONFLICT (address_index) DO UPDATE
    SET window_from = excluded.window_from,
        visits = 1 + CASE WHEN visit.window_from = excluded.window_from THEN visit.visits ELSE 0 END
    RETURNING visits
""")
_FORGET = text("""
    DELETE FROM public_visit WHERE address_index IN (
        SELECT address_index FROM public_visit WHERE window_from < :window
        ORDER BY window_from LIMIT 100 FOR UPDATE SKIP LOCKED
    )
""")
"""A few at a time, and none that is being counted: whoever counts must not wait for whoever tidies up."""
