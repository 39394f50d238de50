"""Notices: what the platform leaves for an account to read when it next signs in."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import SQLModel

from store.database import Writer


def leave(
    writer: Writer, accounts: Iterable[UUID], kind: str, operation_id: UUID, at: datetime, **facts: int | str
) -> None:
    """Leave the same notice to some accounts; once for one operation, however often it is tried.

    Args:
        writer: The transaction that does what the notice tells of.
        accounts: Who is told.
        kind: Which sentence.
        operation_id: What is told of.
        at: When.
        facts: Counts and ids for the sentence; never a person.
    """
    rows = [
        {
            "id": uuid5(operation_id, f"{kind} {account}"),
            "account_id": account,
            "kind": kind,
            "facts": facts,
            "created_at": at,
        }
        for account in accounts
    ]
    if rows:
        writer.connection().execute(_LEAVE, rows)


_LEAVE = insert(SQLModel.metadata.tables["notice"]).on_conflict_do_nothing()
