"""PostgreSQL: the engine, and two kinds of session told apart by their types."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NewType

import psycopg
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlmodel import Session

from schemas.tables import (
    accounts,
    amendments,
    audit,
    backups,
    certificates,
    claims,
    contents,
    delegation,
    legacy,
    prior_reports,
    rulebook,
    sms,
    stuck,
)

TABLES = (
    accounts,
    amendments,
    audit,
    backups,
    certificates,
    claims,
    contents,
    delegation,
    legacy,
    prior_reports,
    rulebook,
    sms,
    stuck,
)
"""Imported together, whoever needs one: foreign keys find their tables by name."""

RESTED = 1.0
"""Seconds after which a kept connection is tried before it is used again."""
Reader = NewType("Reader", Session)
"""A session for SELECT only: the server sees to it where `reading` opened it, the type where `asking` did."""
Writer = NewType("Writer", Session)
"""A session whose transaction commits when its block ends."""


def connect(url: str, *, pool_size: int = 10, ask_before_use: bool = True) -> Engine:
    """Make an engine whose errors never show parameters.

    Args:
        url: ``postgresql+psycopg://…``
        pool_size: Connections kept open, as many again when busy.
        ask_before_use: Whether a connection that has rested is tried before it is used; needless where a
            transaction that meets a dead one is tried again.
    """
    engine = create_engine(
        url, hide_parameters=True, pool_size=pool_size, max_overflow=pool_size, pool_timeout=10
    )
    if ask_before_use:
        _ask_after_rest(engine)
    return engine


def _ask_after_rest(engine: Engine) -> None:
    """Try connections before use, as ``pool_pre_ping`` does, but not while they are busy.

    A server takes longer to restart than a rest; the round trip each time would be felt in every list.
    """

    @event.listens_for(engine, "checkin")
    def rest(_connection: Any, record: Any) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def wake(connection: Any, record: Any, _proxy: Any) -> None:
        since = record.info.get("rests_since")  # None of a new one
        if since is None or time.monotonic() - since < RESTED:
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            raise InvalidatePoolError from error


@contextmanager
def reading(engine: Engine) -> Iterator[Reader]:
    """One read-only snapshot: what it reads fits together.

    It ends with COMMIT: after a ROLLBACK psycopg forgets every statement that the connection had prepared.
    """
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with Session(snapshot, expire_on_commit=False) as session, session.begin():
        yield Reader(session)


@contextmanager
def asking(engine: Engine) -> Iterator[Reader]:
    """For one SELECT at a time: each is a snapshot of its own, without the round trips of a transaction."""
    with Session(_autocommit(engine)) as session:
        yield Reader(session)


@lru_cache(maxsize=8)
def _autocommit(engine: Engine) -> Engine:
    return engine.execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def writing(engine: Engine) -> Iterator[Writer]:
    """One transaction: commits at the end of the block, rolls back when it raises."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield Writer(session)


@contextmanager
def rehearsing(engine: Engine) -> Iterator[Writer]:
    """A transaction that is always rolled back: what would come of it, and no trace of it."""
    with Session(engine, expire_on_commit=False) as session:
        yield Writer(session)
