"""The statements of every save and submission of a backup.

Written out, and few of them: each costs more on its way through Python and to PostgreSQL than in it.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from schemas.tables.backups import BackupState
from store.database import Writer


class AnsweredError(Exception):
    """The operation has been carried out before."""


class Held(NamedTuple):
    """A backup as its lock shows it."""

    state: BackupState
    delegate_id: UUID
    number: str | None
    is_correction: bool = False


class Saved(NamedTuple):
    """What a step refers to from now on.

    Attributes:
        title: Of a form; None where it has none.
        data_files: Rows of all lists of the backup.
        categories: In these lists, each once.
        in_transit: Repositories that these lists say to wait for.
    """

    title: str | None
    data_files: int
    categories: list[str]
    in_transit: set[str]


def lock(writer: Writer, backup_id: UUID) -> Held | None:
    """The backup, held until the transaction ends; None where there is none."""
    row = writer.connection().execute(_LOCK, {"backup_id": backup_id}).first()
    return Held(BackupState(row.state), *row[1:]) if row else None


def outcome(session: Session, operation_id: UUID) -> dict[str, Any] | None:
    """The answer of an operation that has been carried out, not refused."""
    found: dict[str, Any] | None = session.execute(_OUTCOME, {"operation_id": operation_id}).scalar()
    return found


def begin(
    writer: Writer, operation_id: UUID, backup_id: UUID, creator_id: UUID, unit_code: str, at: datetime
) -> Held:
    """Begin a draft, held by its creator."""
    people = {"creator_id": creator_id, "unit_code": unit_code}
    opened = {"operation_id": operation_id, "backup_id": backup_id, **people, "at": at}
    writer.connection().execute(_BEGIN, opened)
    return Held(BackupState.DRAFT, creator_id, None)


def save_step(
    writer: Writer,
    backup_id: UUID,
    step: str,
    revision: int,
    content_id: UUID,
    account_id: UUID,
    at: datetime,
) -> Saved | None:
    """Let a step refer to other content, if it stands at the revision that is replaced; None if not.

    Args:
        writer: The transaction.
        backup_id: The backup, locked.
        step: Id of the step.
        revision: The revision that is replaced; 0 for an open step.
        content_id: The new content.
        account_id: Who saves.
        at: When.
    """
    step_of = {"backup_id": backup_id, "step": step, "old": revision}
    saved = {**step_of, "content_id": content_id, "saved_by": account_id, "at": at}
    row = writer.connection().execute(_SAVE_STEP, saved).one()
    if row.revision is None:
        return None
    title = row.title if isinstance(row.title, str) else None
    return Saved(title, row.data_files, row.categories, set(row.in_transit))


def forget_deposits(writer: Writer, backup_id: UUID) -> None:
    """A new list tells anew what is on its way."""
    writer.connection().execute(_FORGET_DEPOSITS, {"backup_id": backup_id})


def finish(
    writer: Writer,
    operation_id: UUID,
    backup_id: UUID,
    kind: str,
    answer: str,
    change: Mapping[str, object],
) -> None:
    """Change the backup, and keep the answer in the ledger.

    Args:
        writer: The transaction.
        operation_id: Of the operation; a timer's is not in the ledger yet.
        backup_id: The backup, locked.
        kind: What the ledger calls the operation.
        answer: JSON.
        change: Columns of the backup and their new values; columns that are not named stay.

    Raises:
        AnsweredError: The ledger has an answer; the transaction must be left.
    """
    changed = {**_UNCHANGED, **change, "titled": "title" in change}
    asked = {"operation_id": operation_id, "backup_id": backup_id, "kind": kind, "now": datetime.now(UTC)}
    if not writer.connection().execute(_FINISH, {**changed, **asked, "answer": answer}).rowcount:
        raise AnsweredError


def next_serial(writer: Writer, day: date) -> int:
    """The next serial of a day; the row's lock makes it unique, the transaction gapless."""
    serial: int = writer.connection().execute(_NEXT_SERIAL, {"day": day}).scalar_one()
    return serial


_COLUMNS = "state title data_files categories saved_at expires_at closed_at number release_digest"
_UNCHANGED: dict[str, None] = dict.fromkeys(_COLUMNS.split())
_LOCK = text("""
    SELECT state, delegate_id, number, corrects_id IS NOT NULL FROM backup WHERE id = :backup_id FOR UPDATE
""")
_OUTCOME = text("SELECT outcome FROM operation WHERE id = :operation_id AND NOT outcome ? 'refused'")
_BEGIN = text("""
    WITH opened AS (
        INSERT INTO backup (id, state, creator_id, delegate_id, unit_code, created_at, saved_at, expires_at)
        VALUES (:backup_id, 'draft', :creator_id, :creator_id, :unit_code, :at, :at, :at)
        RETURNING id, delegate_id, unit_code, created_at
    )
    INSERT INTO delegation (backup_id, delegate_id, unit_code, since, operation_id)
    SELECT id, delegate_id, unit_code, created_at, :operation_id FROM opened
""")
_SAVE_STEP = text("""
    WITH saved AS (
        INSERT INTO backup_step AS step (backup_id, step, revision, content_id, saved_at, saved_by)
        SELECT :backup_id, CAST(:step AS varchar), 1, :content_id, :at, :saved_by
        WHERE :old = 0
           OR EXISTS (SELECT FROM backup_step WHERE backup_id = :backup_id AND step = :step)
        ON CONFLICT (backup_id, step) DO UPDATE
        SET revision = step.revision + 1, content_id = excluded.content_id,
            saved_at = excluded.saved_at, saved_by = excluded.saved_by
        WHERE step.revision = :old
        RETURNING revision
    ), list AS (
        SELECT rows, categories, in_transit FROM manifest
        WHERE id = :content_id
           OR id IN (SELECT content_id FROM backup_step WHERE backup_id = :backup_id AND step <> :step)
    )
    SELECT (SELECT revision FROM saved) AS revision,
           (SELECT body -> 'title' FROM form_content WHERE id = :content_id) AS title,
           (SELECT COALESCE(sum(rows), 0) FROM list) AS data_files,
           ARRAY(SELECT DISTINCT category FROM list, unnest(categories) AS category ORDER BY 1) AS categories,
           ARRAY(SELECT repository FROM list, unnest(in_transit) AS repository) AS in_transit
""")
_FORGET_DEPOSITS = text("DELETE FROM deposit_check WHERE backup_id = :backup_id")
_FINISH = text("""
    WITH changed AS (
        UPDATE backup
        SET state = COALESCE(:state, state),
            title = CASE WHEN :titled THEN :title ELSE title END,
            data_files = COALESCE(:data_files, data_files),
            categories = COALESCE(CAST(:categories AS varchar[]), categories),
            saved_at = COALESCE(:saved_at, saved_at),
            expires_at = COALESCE(:expires_at, expires_at),
            closed_at = COALESCE(:closed_at, closed_at),
            number = COALESCE(:number, number),
            release_digest = COALESCE(:release_digest, release_digest)
        WHERE id = :backup_id AND CAST(:state AS varchar) IS NOT NULL
    )
    INSERT INTO operation (id, case_id, kind, request_digest, asked_at, outcome, finished_at)
    VALUES (:operation_id, :backup_id, :kind, '', :now, CAST(:answer AS jsonb), :now)
    ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome, finished_at = excluded.finished_at
    WHERE operation.outcome IS NULL OR operation.outcome ? 'refused'
""")
_NEXT_SERIAL = text("""
    INSERT INTO number_serial AS serial (day, last) VALUES (:day, 1)
    ON CONFLICT (day) DO UPDATE SET last = serial.last + 1
    RETURNING last
""")
