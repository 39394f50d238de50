"""What is done to numbered backups: withdrawals, and corrections that make their next versions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Table, delete, exists, insert, text, update
from sqlalchemy.dialects.postgresql import insert as insert_once
from sqlmodel import SQLModel, col, select

from schemas.errors import Refusal
from schemas.tables.amendments import Amendment
from schemas.tables.backups import OPEN_STATES, Backup, BackupState
from schemas.tables.prior_reports import PriorReport
from store.database import Reader, Writer
from store.encryption import ColumnCipher

_STEPS, _CHECKS = (SQLModel.metadata.tables[name] for name in ("backup_step", "deposit_check"))


class Draft(NamedTuple):
    """The draft that a correction begins with."""

    id: UUID
    correction_id: UUID
    state: str
    at: datetime
    expires_at: datetime


def number_of(backup: Backup) -> str:
    """The number of a backup, whether it stands or was withdrawn.

    Raises:
        Refusal: ``not_numbered``; ``version_superseded``, for a former version.
    """
    if backup.state == BackupState.SUPERSEDED:
        raise Refusal("version_superseded")
    if backup.number is None:
        raise Refusal("not_numbered")
    return backup.number


# --- asking ------------------------------------------------------------------------------------------


def store(writer: Writer, asked: Amendment) -> None:
    """Store what somebody asks for, before the workflow is told."""
    writer.execute(insert_once(Amendment).values(asked.model_dump()).on_conflict_do_nothing())


def sealed_reason(cipher: ColumnCipher, amendment_id: UUID, said: str) -> bytes:
    """Why it is asked for, encrypted."""
    return cipher.encrypt(said, "amendment", "reason", amendment_id)


def reason(cipher: ColumnCipher, row: Amendment) -> str:
    """Why it was asked for."""
    return cipher.decrypt(row.reason, "amendment", "reason", row.id)


# --- doing -------------------------------------------------------------------------------------------


def lock(writer: Writer, backup_id: UUID) -> Backup:
    """The numbered backup, held until the transaction ends: whoever records a prior report of it waits."""
    return writer.get_one(Backup, backup_id, with_for_update=True)


def is_used(writer: Writer, backup_id: UUID) -> bool:
    """Whether a prior report has used the backup."""
    return bool(writer.exec(select(exists().where(col(PriorReport.backup_id) == backup_id))).one())


def has_open_correction(writer: Writer, backup_id: UUID) -> bool:
    """Whether a correction of the backup is a draft at present."""
    is_open = col(Backup.state).in_(OPEN_STATES)
    return bool(writer.exec(select(exists().where(col(Backup.corrects_id) == backup_id, is_open))).one())


def withdraw(writer: Writer, backup: Backup, withdrawal_id: UUID, at: datetime) -> None:
    """Withdraw a numbered backup; its number, contents and delegate stay."""
    backup.state = BackupState.WITHDRAWN
    writer.execute(update(Amendment).where(col(Amendment.id) == withdrawal_id).values(done_at=at))


def open_draft(writer: Writer, backup: Backup, draft: Draft) -> dict[str, int]:
    """Make a draft with the contents of a numbered backup, held by its delegate.

    Returns:
        The revision of each step: they go on from those of the backup, so that no two contents of one step
        ever have the same.
    """
    facts = {**draft._asdict(), "backup_id": backup.id}
    writer.connection().execute(_OPEN, facts)
    writer.connection().execute(_COPY_CHECKS, facts)
    return {row.step: row.revision for row in writer.connection().execute(_COPY_STEPS, facts)}


def seal(writer: Writer, draft_id: UUID, release: str, at: datetime) -> tuple[str, dict[str, Any]]:
    """Make the contents of a correction the next version of its backup, and give it those of the one before.

    Args:
        writer: The transaction, which holds the draft. A handover of both may hold them the other way round:
            PostgreSQL ends one of the two, which is tried again.
        draft_id: The correction, accepted.
        release: Digest of the release that judged it.
        at: When.

    Returns:
        The backup number, and what the draft's row becomes: the version before.

    Raises:
        Refusal: ``number_withdrawn``; ``not_allowed``, when the backup has another delegate by now.
    """
    draft = writer.get_one(Backup, draft_id)
    if draft.corrects_id is None:
        raise LookupError(f"{draft_id} corrects nothing")
    backup = lock(writer, draft.corrects_id)
    if backup.state != BackupState.NUMBERED or backup.number is None:
        raise Refusal("number_withdrawn")
    if backup.delegate_id != draft.delegate_id:
        raise Refusal("not_allowed")
    before = {
        "state": BackupState.SUPERSEDED.value,
        "closed_at": at,
        "release_digest": backup.release_digest,
        "title": backup.title,
        "data_files": backup.data_files,
        "categories": backup.categories,
    }
    backup.title, backup.release_digest, backup.saved_at = draft.title, release, draft.saved_at
    backup.data_files, backup.categories = draft.data_files, draft.categories
    draft.version, backup.version = backup.version, backup.version + 1
    writer.flush()
    for table in (_STEPS, _CHECKS):
        _exchange(writer, table, draft_id, backup.id)
    writer.execute(update(Amendment).where(col(Amendment.draft_id) == draft_id).values(done_at=at))
    return backup.number, before


def _exchange(writer: Writer, table: Table, one: UUID, other: UUID) -> None:
    """Give each of two backups the rows of the other."""
    both = delete(table).where(table.c.backup_id.in_([one, other])).returning(*table.c)
    rows = [dict(row) for row in writer.connection().execute(both).mappings()]
    for row in rows:
        row["backup_id"] = other if row["backup_id"] == one else one
    if rows:
        writer.connection().execute(insert(table), rows)


# --- what the API shows ------------------------------------------------------------------------------


def of_backup(reader: Reader, backup_id: UUID) -> Sequence[Amendment]:
    """What has been done to a backup, the latest first."""
    done = col(Amendment.done_at)
    query = select(Amendment).where(Amendment.backup_id == backup_id, done.is_not(None))
    return reader.exec(query.order_by(done.desc())).all()


_OPEN = text("""
    WITH opened AS (
        INSERT INTO backup (
            id, state, title, data_files, categories, creator_id, delegate_id, unit_code,
            created_at, saved_at, expires_at, corrects_id
        )
        SELECT :id, :state, title, data_files, categories, delegate_id, delegate_id, unit_code,
               :at, :at, :expires_at, id
        FROM backup WHERE id = :backup_id
        RETURNING id, delegate_id, unit_code, created_at
    )
    INSERT INTO delegation (backup_id, delegate_id, unit_code, since, operation_id)
    SELECT id, delegate_id, unit_code, created_at, :correction_id FROM opened
""")
_COPY_STEPS = text("""
    INSERT INTO backup_step (backup_id, step, revision, content_id, saved_at, saved_by)
    SELECT :id, step, revision, content_id, saved_at, saved_by FROM backup_step WHERE backup_id = :backup_id
    RETURNING step, revision
""")
_COPY_CHECKS = text("""
    INSERT INTO deposit_check (backup_id, repository, result, source, checked_at)
    SELECT :id, repository, result, source, checked_at FROM deposit_check WHERE backup_id = :backup_id
""")
