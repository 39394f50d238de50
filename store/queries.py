"""SELECTs behind the API's reads: scoped to who asks, in keyset pages."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Row, TextClause, text, tuple_
from sqlmodel import col, or_, select

from schemas.errors import Refusal
from schemas.findings import Finding
from schemas.tables.backups import Backup, BackupStep, DepositCheck, Notice, Operation
from schemas.tables.contents import (
    ManifestContent,
    ManifestFault,
    ManifestFinding,
    ManifestJudgement,
    ManifestRow,
)
from store.database import Reader


class Viewer(NamedTuple):
    """Who asks: an account, and its unit when it administers one."""

    account_id: UUID
    administered_unit: str | None


def _visible(viewer: Viewer) -> ColumnElement[bool]:
    """A person sees the backups under their name; a unit administrator those of the unit (notice 二, 三)."""
    own = col(Backup.delegate_id) == viewer.account_id
    if viewer.administered_unit is None:
        return own
    return or_(own, col(Backup.unit_code) == viewer.administered_unit)


def backup(reader: Reader, viewer: Viewer, backup_id: UUID) -> Backup:
    """One backup.

    Raises:
        Refusal: ``not_found``, alike for what does not exist and for what is another's.
    """
    found = reader.exec(select(Backup).where(Backup.id == backup_id, _visible(viewer))).first()
    if found is None:
        raise Refusal("not_found")
    return found


def own_backup(reader: Reader, viewer: Viewer, backup_id: UUID) -> Backup:
    """One backup that the viewer may change.

    Raises:
        Refusal: ``not_found``, or ``not_allowed`` for an administrator who only sees it.
    """
    found = backup(reader, viewer, backup_id)
    if found.delegate_id != viewer.account_id:
        raise Refusal("not_allowed")
    return found


def backups(
    reader: Reader, viewer: Viewer, after: tuple[datetime, UUID] | None, limit: int, state: str | None
) -> Sequence[Row[Any]]:
    """A page of backups, newest first, that come after a (created_at, id): what lists show of them."""
    asked: dict[str, object] = {
        "account": viewer.account_id,
        "unit": viewer.administered_unit,
        "state": state,
        "limit": limit,
    }
    if after is not None:
        asked |= {"after_at": after[0], "after_id": after[1]}
    given = {name: value for name, value in asked.items() if value is not None}
    return reader.connection().execute(_newest(frozenset(given)), given).all()


@lru_cache
def _newest(given: frozenset[str]) -> TextClause:
    conditions = "".join(condition for name, condition in _ONLY.items() if name in given)
    own = _NEWEST.format(whose="delegate_id = :account", conditions=conditions)
    if "unit" not in given:
        return text(own)
    of_unit = _NEWEST.format(whose="unit_code = :unit", conditions=conditions)
    return text(_EITHER.format(own=own, of_unit=of_unit))


_ONLY = {
    "state": " AND state = :state",
    "after_at": " AND (created_at, id) < (:after_at, :after_id)",
}
_NEWEST = """
    SELECT id, number, state, title, created_at, saved_at, expires_at, version, corrects_id FROM backup
    WHERE {whose}{conditions} ORDER BY created_at DESC, id DESC LIMIT :limit
"""
_EITHER = "SELECT * FROM (({own}) UNION ({of_unit})) AS found ORDER BY created_at DESC, id DESC LIMIT :limit"
"""Each by its own index: of an OR, PostgreSQL sorts everything."""


def step_revision(reader: Reader, backup_id: UUID, step: str) -> int:
    """The saved revision of a step, 0 while it is open."""
    saved = reader.get(BackupStep, (backup_id, step))
    return saved.revision if saved else 0


def operation(reader: Reader, viewer: Viewer, operation_id: UUID) -> Operation:
    """One operation on a backup that the viewer sees, or one the viewer asked for.

    Raises:
        Refusal: ``not_found``.
    """
    found = reader.get(Operation, operation_id)
    if found is None:
        raise Refusal("not_found")
    if found.account_id != viewer.account_id:
        backup(reader, viewer, found.case_id)
    return found


def noted_operation(reader: Reader, operation_id: UUID) -> Operation:
    """An operation that the API has just noted."""
    return reader.get_one(Operation, operation_id)


def was_asked(reader: Reader, operation_id: UUID) -> bool:
    """Whether the very same change was asked for before."""
    return reader.get(Operation, operation_id) is not None


def deposits_saved_at(reader: Reader, backup_id: UUID) -> dict[str, datetime]:
    """Since when each repository is awaited: the save of the list that says so."""
    query = (
        select(ManifestContent.in_transit, BackupStep.saved_at)
        .join(BackupStep, col(BackupStep.content_id) == ManifestContent.id)
        .where(BackupStep.backup_id == backup_id)
    )
    return {repository: saved_at for row, saved_at in reader.exec(query) for repository in row}


def deposit_checks(reader: Reader, backup_id: UUID) -> Sequence[DepositCheck]:
    """The latest word on each deposit of a backup."""
    return reader.exec(select(DepositCheck).where(DepositCheck.backup_id == backup_id)).all()


def judging_release(reader: Reader, manifest_id: UUID, digest: str) -> str:
    """The release whose findings on a list can be shown: this one, else the one that judged it last."""
    query = (
        select(ManifestJudgement.release_digest)
        .where(ManifestJudgement.manifest_id == manifest_id)
        .order_by(
            (col(ManifestJudgement.release_digest) == digest).desc(), col(ManifestJudgement.judged_at).desc()
        )
        .limit(1)
    )
    return reader.exec(query).one()


def row_faults(reader: Reader, manifest_id: UUID, after: int, limit: int) -> list[tuple[int, ManifestFault]]:
    """Rows of a list that could not be read, as (key, fault)."""
    query = (
        select(ManifestFault)
        .where(ManifestFault.manifest_id == manifest_id, col(ManifestFault.id) > after)
        .order_by(col(ManifestFault.id))
        .limit(limit)
    )
    return [(fault.id or 0, fault) for fault in reader.exec(query)]


def row_findings(
    reader: Reader, manifest_id: UUID, digest: str, severity: str | None, after: int, limit: int
) -> list[tuple[int, Finding]]:
    """Findings of one release on the rows of a list, as (key, finding)."""
    query = (
        select(ManifestFinding)
        .where(
            ManifestFinding.manifest_id == manifest_id,
            ManifestFinding.release_digest == digest,
            col(ManifestFinding.id) > after,
        )
        .order_by(col(ManifestFinding.id))
        .limit(limit)
    )
    if severity is not None:
        query = query.where(ManifestFinding.severity == severity)
    return [(row.id or 0, _finding(row)) for row in reader.exec(query)]


def _finding(row: ManifestFinding) -> Finding:
    return Finding(row.rule, row.severity, row.pointer, row.line, row.column)  # type: ignore[arg-type]  # as stored


def data_files(reader: Reader, manifest_id: UUID, after: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
    """A page of the rows of a list, as (line, record)."""
    query = (
        select(ManifestRow.line, ManifestRow.record)
        .where(ManifestRow.manifest_id == manifest_id, col(ManifestRow.line) > after)
        .order_by(col(ManifestRow.line))
        .limit(limit)
    )
    return [(line, dict(record)) for line, record in reader.exec(query)]


def notices(
    reader: Reader, viewer: Viewer, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Notice]:
    """A page of the viewer's notices, newest first."""
    query = (
        select(Notice)
        .where(Notice.account_id == viewer.account_id)
        .order_by(col(Notice.created_at).desc(), col(Notice.id).desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(col(Notice.created_at), col(Notice.id)) < after)
    return reader.exec(query).all()
