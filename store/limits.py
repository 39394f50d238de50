"""Limits on how often something may be asked for (限次): counted on what was typed, before any look-up.

Windows roll: of requests at 09:10 and 09:50, the first leaves a window of an hour at 10:10 sharp. Requests
with a key in common wait for each other, so that many at once never exceed a limit.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import String, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import SQLModel

from schemas.contracts.claims import seconds_until
from schemas.errors import Refusal
from schemas.tables import claims as tables
from store.database import Writer


class Window(NamedTuple):
    """At most so many requests under one key in any span of this length.

    Attributes:
        key: What is limited, such as ``number:…``; keyed indexes and ids only, no person.
        most: The limit.
        per: Length of the window.
    """

    key: str
    most: int
    per: timedelta


class Budget(NamedTuple):
    """What all requests of one day share.

    Attributes:
        day: The day, in the time zone of the platform.
        most: Requests of that day.
        alarm_at: With this one, operators are told.
        ends_at: When the next day begins.
    """

    day: date
    most: int
    alarm_at: int
    ends_at: datetime


def count(writer: Writer, windows: Sequence[Window], operation_id: UUID, at: datetime) -> None:
    """Count one request under every window's key, or refuse it and count nothing.

    Raises:
        Refusal: ``too_many_claims``, with the seconds after which no window is full.
    """
    keys = sorted({window.key for window in windows})
    for key in keys:  # one after the other, always in this order, so that no two wait for each other
        writer.connection().execute(_LOCK, {"key": key})
    longest = max(window.per for window in windows)
    writer.connection().execute(_FORGET, {"keys": keys, "until": at - longest})
    free_at = [at, *(_free_at(writer, window, at) for window in windows)]
    if max(free_at) > at:
        raise Refusal("too_many_claims", retry_after=seconds_until(max(free_at), at))
    writer.connection().execute(
        _COUNT, [{"key": key, "at": at, "operation_id": operation_id} for key in keys]
    )


def spend(writer: Writer, budget: Budget, at: datetime) -> bool:
    """Take one request out of the day's budget, as the last lock of a transaction: everybody waits for it.

    Returns:
        Whether operators are to be told, once, that it runs out.

    Raises:
        Refusal: ``too_many_claims``, until the next day.
    """
    spent = writer.connection().execute(_SPEND, {"day": budget.day, "most": budget.most}).scalar()
    if spent is None:
        raise Refusal("too_many_claims", retry_after=seconds_until(budget.ends_at, at))
    alarming = spent == budget.alarm_at
    if alarming:
        writer.connection().execute(_ALARM, {"that": budget.day, "now": at})
    return bool(alarming)


def _free_at(writer: Writer, window: Window, at: datetime) -> datetime:
    """When the window has room again: once the oldest of its latest `most` requests has left it."""
    within = {"key": window.key, "since": at - window.per, "skip": window.most - 1}
    oldest: datetime | None = writer.connection().execute(_OLDEST, within).scalar()
    return at if oldest is None else oldest + window.per


_COUNTED, _DAYS = (
    SQLModel.metadata.tables[str(table.__tablename__)] for table in (tables.CountedRequest, tables.MessageDay)
)
_LOCK = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("key", type_=String), 0)))
_FORGET = delete(_COUNTED).where(
    _COUNTED.c.key.in_(bindparam("keys", expanding=True)), _COUNTED.c.at <= bindparam("until")
)
_OLDEST = (
    select(_COUNTED.c.at)
    .where(_COUNTED.c.key == bindparam("key"), _COUNTED.c.at > bindparam("since"))
    .order_by(_COUNTED.c.at.desc())
    .offset(bindparam("skip"))
    .limit(1)
)
_COUNT = insert(_COUNTED)
_SPEND = (
    insert(_DAYS)
    .values(day=bindparam("day"), counted=1)
    .on_conflict_do_update(
        index_elements=["day"],
        set_={"counted": _DAYS.c.counted + 1},
        where=_DAYS.c.counted < bindparam("most"),
    )
    .returning(_DAYS.c.counted)
)
_ALARM = update(_DAYS).where(_DAYS.c.day == bindparam("that")).values(alarmed_at=bindparam("now"))
