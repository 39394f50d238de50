"""Runs migrations on the database that the caller names, in one transaction, one caller at a time."""

from alembic import context
from sqlalchemy import create_engine, text
from sqlmodel import SQLModel

from store.database import TABLES

assert TABLES  # noqa: S101  (SQLModel.metadata knows them)
LOCK = 0x68677269
"""Advisory lock: two processes that start at once migrate one after the other."""

engine = create_engine(context.config.attributes["url"], hide_parameters=True)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=SQLModel.metadata, compare_server_default=True)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        context.run_migrations()
engine.dispose()
