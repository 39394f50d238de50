"""Handovers: which backups a delegate holds for a unit, and moving them, in the caller's transaction.

Statements only: however many backups move, none of their rows leaves PostgreSQL. The caller writes the ledger
row of the operation in the same transaction, so that a repeated attempt finds it and moves nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, func, insert, literal, select, tuple_, update
from sqlmodel import SQLModel, col, or_
from sqlmodel import select as select_rows

from schemas.errors import Refusal
from schemas.tables.accounts import Account, Unit
from schemas.tables.backups import Backup, Delegation, Operation
from schemas.tables.delegation import Handover
from schemas.tables.legacy import LegacyRegistrant
from store.database import Reader
from store.moves import digest
from store.queries import Viewer

_BACKUPS, _DELEGATIONS, _REGISTRANTS = (
    SQLModel.metadata.tables[str(table.__tablename__)] for table in (Backup, Delegation, LegacyRegistrant)
)
_MOMENT = timedelta(microseconds=1)


class Holding(NamedTuple):
    """Backups that one delegate holds for a unit: all of them, whatever their state.

    Attributes:
        delegate_id: Who holds them.
        unit_code: For which unit.
        move_id: Only those that they hold since this operation; None: all.
    """

    delegate_id: UUID
    unit_code: str
    move_id: UUID | None = None


class Held(NamedTuple):
    """What there is to hand over.

    Attributes:
        total: How many backups.
        digest: SHA-256 of their ids in order, hex: the very set, whatever state its backups are in.
    """

    total: int
    digest: str


# --- the backups ------------------------------------------------------------------------------------


def look(connection: Connection, holding: Holding) -> Held:
    """Count the backups, and say which they are."""
    query = select(func.count(), digest(_BACKUPS.c.id)).where(_within(holding))
    return Held(*connection.execute(query).one())


def by_state(reader: Reader, holding: Holding) -> dict[str, int]:
    """How many of the backups are in each state."""
    state = _BACKUPS.c.state
    query = select(state, func.count().label("total")).where(_within(holding)).group_by(state)
    return {row.state: row.total for row in reader.connection().execute(query)}


def newest(reader: Reader, holding: Holding, limit: int) -> Sequence[Backup]:
    """The first of the backups, newest first."""
    order = (col(Backup.created_at).desc(), col(Backup.id).desc())
    return reader.exec(select_rows(Backup).where(_within(holding)).order_by(*order).limit(limit)).all()


def held_elsewhere(reader: Reader, holding: Holding) -> int:
    """How many backups the delegate holds for other units."""
    query = select(func.count()).where(
        _BACKUPS.c.delegate_id == holding.delegate_id, _BACKUPS.c.unit_code != holding.unit_code
    )
    return reader.connection().execute(query).scalar_one()


def hand_over(
    connection: Connection,
    holding: Holding,
    *,
    to: UUID,
    shown: str | None,
    operation_id: UUID,
    at: datetime,
) -> int | None:
    """Give all the backups to another delegate of the same unit, if they are those that were shown.

    Legacy registrants are locked first, in the order of their ids, as claims and their reversals do: of two
    that want the same backups one waits, and then sees what the other has done.

    Args:
        connection: In a transaction that the caller commits.
        holding: The backups.
        to: The new delegate.
        shown: Digest that the backups must have; None takes them whichever they are.
        operation_id: Of the ledger row.
        at: Since when they are the new delegate's. A backup whose present delegation begins later, by
            another clock, is handed over the moment after that.

    Returns:
        How many were handed over; None when they are not those that were shown: then nothing is changed.
    """
    connection.execute(_lock_registrants(holding))
    attempt = connection.begin_nested()
    given = connection.execute(_give(holding, to, operation_id, at)).one()
    if shown is not None and shown != given.digest:  # looked at under the locks of its rows
        attempt.rollback()
        return None
    attempt.commit()
    return int(given.total)


def _within(holding: Holding) -> ColumnElement[bool]:
    held = and_(_BACKUPS.c.delegate_id == holding.delegate_id, _BACKUPS.c.unit_code == holding.unit_code)
    if holding.move_id is None:
        return held
    since_then = select(_DELEGATIONS.c.backup_id).where(
        _DELEGATIONS.c.operation_id == holding.move_id, _DELEGATIONS.c.until.is_(None)
    )
    return and_(held, _BACKUPS.c.id.in_(since_then))


def _lock_registrants(holding: Holding) -> Any:
    theirs = select(_BACKUPS.c.registrant_id).where(_within(holding), _BACKUPS.c.registrant_id.is_not(None))
    ids = _REGISTRANTS.c.id
    return select(ids).where(ids.in_(theirs)).order_by(ids).with_for_update()


def _give(holding: Holding, to: UUID, operation_id: UUID, at: datetime) -> Any:
    """One statement: each delegation that it ends begins the next one."""
    taken = (
        update(_BACKUPS).where(_within(holding)).values(delegate_id=to).returning(_BACKUPS.c.id).cte("taken")
    )
    since = func.greatest(literal(at, _DELEGATIONS.c.since.type), _DELEGATIONS.c.since + _MOMENT)
    ended = (
        update(_DELEGATIONS)
        .where(_DELEGATIONS.c.backup_id == taken.c.id, _DELEGATIONS.c.until.is_(None))
        .values(until=since, ended_by=operation_id)
        .returning(_DELEGATIONS.c.backup_id, _DELEGATIONS.c.until, _DELEGATIONS.c.unit_code)
        .cte("ended")
    )
    begun = (
        insert(_DELEGATIONS)
        .from_select(
            ["backup_id", "since", "delegate_id", "unit_code", "operation_id"],
            select(
                ended.c.backup_id,
                ended.c.until,
                literal(to, _DELEGATIONS.c.delegate_id.type),
                ended.c.unit_code,
                literal(operation_id, _DELEGATIONS.c.operation_id.type),
            ),
        )
        .cte("begun")
    )
    told = select(func.count().label("total"), digest(taken.c.id).label("digest"))
    return told.select_from(taken).add_cte(begun)


# --- what the API shows ----------------------------------------------------------------------------


def handover(reader: Reader, viewer: Viewer, handover_id: UUID) -> Handover:
    """A handover of the unit that the viewer administers, or of which the viewer is a part.

    Raises:
        Refusal: ``not_found``, alike for what does not exist and for what is another's.
    """
    query = select_rows(Handover).where(Handover.id == handover_id, _visible(viewer))
    found = reader.exec(query).first()
    if found is None:
        raise Refusal("not_found")
    return found


def handovers(
    reader: Reader, viewer: Viewer, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Handover]:
    """A page of such handovers, newest first."""
    key = (col(Handover.created_at), col(Handover.id))
    query = select_rows(Handover).where(_visible(viewer), Handover.state != "stored")
    if after is not None:
        query = query.where(tuple_(*key) < after)
    return reader.exec(query.order_by(*(part.desc() for part in key)).limit(limit)).all()


def _visible(viewer: Viewer) -> ColumnElement[bool]:
    part = or_(Handover.from_id == viewer.account_id, Handover.to_id == viewer.account_id)
    return or_(part, Handover.unit_code == viewer.administered_unit) if viewer.administered_unit else part


def undone_by(reader: Reader, handover_id: UUID) -> UUID | None:
    """The handover that has undone this one."""
    query = select_rows(Handover.id).where(Handover.undoes == handover_id, Handover.state == "moved")
    return reader.exec(query.order_by(col(Handover.created_at).desc())).first()


def gone_on(reader: Reader, undoing: Handover, limit: int) -> Sequence[UUID]:
    """Backups that an undoing did not take back, since they had gone on to others; the first by their ids."""
    query = (
        select_rows(Delegation.backup_id)
        .join(Handover, col(Handover.move_id) == Delegation.operation_id)
        .where(Handover.id == undoing.undoes, col(Delegation.ended_by).is_distinct_from(undoing.move_id))
        .order_by(col(Delegation.backup_id))
    )
    return reader.exec(query.limit(limit)).all()


class Delegated(NamedTuple):
    """One delegation of a backup, as its history shows it."""

    delegation: Delegation
    delegate: Account
    unit_name: str
    operation: str


def history(reader: Reader, backup_id: UUID) -> list[Delegated]:
    """Who held a backup from when to when, the first one first, and by what kind of operation they got it."""
    query = (
        select_rows(Delegation, Account, Unit.name, Operation.kind)
        .join(Account, col(Account.id) == Delegation.delegate_id)
        .join(Unit, col(Unit.code) == Delegation.unit_code, isouter=True)
        .join(Operation, col(Operation.id) == Delegation.operation_id, isouter=True)
        .where(Delegation.backup_id == backup_id)
        .order_by(col(Delegation.since))
    )
    return [
        Delegated(row, account, unit or "", kind or "") for row, account, unit, kind in reader.exec(query)
    ]
