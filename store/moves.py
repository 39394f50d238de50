"""Moves of legacy backups into an account and back: whole sets, in the caller's transaction.

Statements only: however many backups move, none of their rows leaves PostgreSQL. The caller writes the ledger
row of the operation in the same transaction, so that a repeated attempt finds it and moves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Uuid,
    any_,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlmodel import SQLModel

from schemas.tables.backups import Backup, Delegation
from schemas.tables.legacy import LegacyDraft, LegacyRegistrant
from schemas.tables.prior_reports import PriorReport

_BACKUPS, _DELEGATIONS, _REGISTRANTS, _DRAFTS, _REPORTS = (
    SQLModel.metadata.tables[str(table.__tablename__)]
    for table in (Backup, Delegation, LegacyRegistrant, LegacyDraft, PriorReport)
)


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move did.

    Attributes:
        count: Backups moved now.
        digest: SHA-256 of their ids in order, hex; of nothing when none moved.
        drafts_left: Drafts of the old platform, which never move.
        already_own: Backups of these registrants that the account held before.
        already_moved: Backups of these registrants that somebody else holds.
    """

    count: int
    digest: str
    drafts_left: int
    already_own: int
    already_moved: int


@dataclass(frozen=True, slots=True)
class Undone:
    """What undoing a move did: all of it, or nothing.

    Attributes:
        count: Backups that nobody holds again.
        gone_on: Backups of the move that are no longer with the one who got them; then nothing was changed.
        used: Backups of the move that a prior report has used since; then nothing was changed either.
    """

    count: int
    gone_on: int
    used: int = 0


def move(
    connection: Connection,
    *,
    registrants: Sequence[UUID],
    to: UUID,
    unit_code: str,
    operation_id: UUID,
    at: datetime,
) -> Moved:
    """Give an account all numbered backups of some legacy registrants that nobody holds, withdrawn ones too.

    The registrants are locked first, in the order of their ids: of two moves of the same registrants one
    waits, and then sees what the other has moved.

    Args:
        connection: In a transaction that the caller commits.
        registrants: Ids of `legacy_registrant`.
        to: The new delegate.
        unit_code: The unit they are held for: the delegate's.
        operation_id: Of the ledger row.
        at: Since when they are theirs.
    """
    ids = {"registrants": list(registrants)}
    connection.execute(_LOCK, ids)
    held = connection.execute(_HELD, {**ids, "to": to}).one()
    moved = connection.execute(
        _MOVE, {**ids, "to": to, "unit": unit_code, "operation": operation_id, "at": at}
    ).one()
    drafts: int = connection.execute(_COUNT_DRAFTS, ids).scalar_one()
    return Moved(moved.moved, moved.digest, drafts, held.own, held.others)


def undo(connection: Connection, *, operation_id_of_move: UUID, operation_id: UUID, at: datetime) -> Undone:
    """Take the backups of a move back, so that nobody holds them; only if all are still where it put them.

    Args:
        connection: In a transaction that the caller commits.
        operation_id_of_move: What moved them.
        operation_id: Of the ledger row of the undoing.
        at: Until when they were held.
    """
    of_move = {"operation": operation_id_of_move}
    registrants = connection.execute(_REGISTRANTS_OF, of_move).scalars().all()
    connection.execute(_LOCK, {"registrants": list(registrants)})
    total: int = connection.execute(_COUNT_MOVED, of_move).scalar_one()
    attempt = connection.begin_nested()
    ended = connection.execute(_END, {**of_move, "until_": at, "ended": operation_id}).rowcount
    if ended != total:  # under its row locks: what another transaction has just handed on counts as well
        attempt.rollback()
        return Undone(0, total - ended)
    connection.execute(_LET_GO, {**of_move, "ended": operation_id})
    used: int = connection.execute(_COUNT_USED, of_move).scalar_one()
    if used:  # seen under the locks of the backups: whoever records a report holds them as well
        attempt.rollback()
        return Undone(0, 0, used)
    attempt.commit()
    return Undone(total, 0)


def digest(ids: ColumnElement[UUID]) -> ColumnElement[str]:
    """An aggregate: SHA-256 of ids in their order, hex. A set of backups is known by it (摘要)."""
    nothing: ColumnElement[bytes] = literal_column("''::bytea")
    joined = func.string_agg(func.uuid_send(ids), aggregate_order_by(nothing, ids))
    return func.encode(func.sha256(func.coalesce(joined, nothing)), "hex")


_GIVEN = any_(bindparam("registrants", type_=ARRAY(Uuid)))
_LOCK = (
    select(_REGISTRANTS.c.id).where(_REGISTRANTS.c.id == _GIVEN).order_by(_REGISTRANTS.c.id).with_for_update()
)
_HELD = select(
    func.count().filter(_BACKUPS.c.delegate_id == bindparam("to")).label("own"),
    func.count().filter(_BACKUPS.c.delegate_id != bindparam("to")).label("others"),
).where(_BACKUPS.c.registrant_id == _GIVEN, _BACKUPS.c.delegate_id.is_not(None))
_TAKEN = (
    update(_BACKUPS)
    .where(
        _BACKUPS.c.registrant_id == _GIVEN,
        _BACKUPS.c.delegate_id.is_(None),
    )
    .values(delegate_id=bindparam("to"), unit_code=bindparam("unit"))
    .returning(_BACKUPS.c.id)
    .cte("taken")
)
_NOTED = (
    insert(_DELEGATIONS)
    .from_select(
        ["backup_id", "since", "delegate_id", "unit_code", "operation_id"],
        select(
            _TAKEN.c.id,
            bindparam("at", type_=_DELEGATIONS.c.since.type),
            bindparam("to", type_=_DELEGATIONS.c.delegate_id.type),
            bindparam("unit", type_=_DELEGATIONS.c.unit_code.type),
            bindparam("operation", type_=_DELEGATIONS.c.operation_id.type),
        ),
    )
    .cte("noted")
)
_MOVE = (
    select(func.count().label("moved"), digest(_TAKEN.c.id).label("digest"))
    .select_from(_TAKEN)
    .add_cte(_NOTED)
)
_COUNT_DRAFTS = select(func.count()).select_from(_DRAFTS).where(_DRAFTS.c.registrant_id == _GIVEN)
_OF_MOVE = _DELEGATIONS.c.operation_id == bindparam("operation")
_REGISTRANTS_OF = (
    select(_BACKUPS.c.registrant_id)
    .distinct()
    .where(_BACKUPS.c.id == _DELEGATIONS.c.backup_id, _OF_MOVE, _BACKUPS.c.registrant_id.is_not(None))
)
_COUNT_MOVED = select(func.count()).select_from(_DELEGATIONS).where(_OF_MOVE)
_COUNT_USED = select(func.count(_REPORTS.c.backup_id.distinct())).where(
    _OF_MOVE, _REPORTS.c.backup_id == _DELEGATIONS.c.backup_id, _REPORTS.c.used_at >= _DELEGATIONS.c.since
)
_END = (
    update(_DELEGATIONS)
    .where(_OF_MOVE, _DELEGATIONS.c.until.is_(None))
    .values(until=bindparam("until_"), ended_by=bindparam("ended"))
)
_LET_GO = (
    update(_BACKUPS)
    .where(_BACKUPS.c.id == _DELEGATIONS.c.backup_id, _OF_MOVE, _DELEGATIONS.c.ended_by == bindparam("ended"))
    .values(delegate_id=None, unit_code=None)
)
