"""Accounts and legacy backups put into a database by SQL."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import Engine, text

UNIT, OTHER_UNIT = "12100000400012345X", "12100000400054321X"
AT = datetime(2026, 11, 23, tzinfo=UTC)


def new_account(engine: Engine) -> UUID:
    """An account whose name and phone nobody knows."""
    account = uuid4()
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO account (id, real_name_verified, unit_authorised, unit_administrator,"
                " signed_in_at) VALUES (:id, true, true, false, :at)"
            ),
            {"id": account, "at": AT},
        )
    return account


def new_registrant(engine: Engine, backups: int, drafts: int = 0) -> UUID:
    """A registrant with so many numbered backups and drafts."""
    registrant = uuid4()
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO legacy_registrant (id, name, phone, person_index) VALUES (:id, '', '', '')"),
            {"id": registrant},
        )
        connection.execute(
            text(
                "INSERT INTO backup (id, state, number, registrant_id, created_at, saved_at)"
                " SELECT gen_random_uuid(), 'numbered', gen_random_uuid(), :id, :at, :at"
                " FROM generate_series(1, :backups)"
            ),
            {"id": registrant, "at": AT, "backups": backups},
        )
        connection.execute(
            text(
                "INSERT INTO legacy_draft (id, registrant_id)"
                " SELECT gen_random_uuid(), :id FROM generate_series(1, :drafts)"
            ),
            {"id": registrant, "drafts": drafts},
        )
    return registrant
