"""PostgreSQL: the engine, and two kinds of session told apart by their types."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NewType

from sqlalchemy import Engine, create_engine
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

Reader = NewType("Reader", Session)
"""A session for SELECT only, in a READ ONLY transaction."""
Writer = NewType("Writer", Session)
"""A session whose transaction commits when its block ends."""


def connect(url: str, *, pool_size: int = 10, ask_before_use: bool = True) -> Engine:
    """Make an engine whose errors never show parameters.

    Args:
        url: ``postgresql+psycopg://…``
        pool_size: Connections kept open, as many again when busy.
        ask_before_use: Whether a kept connection is tried before it is used, at the price of a round trip;
            needless where a transaction that meets a dead one is tried again.
    """
    return create_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=ask_before_use,
        pool_timeout=10,
    )


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
    with Session(engine.execution_options(isolation_level="AUTOCOMMIT")) as session:
        yield Reader(session)


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
