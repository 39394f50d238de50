"""What has no answer in the ledger is audited as well; and so is what was done before there was a trail."""

import uuid
from typing import Any

import psycopg
import pytest
from alembic import command
from sqlalchemy import Engine, text

from store import trail
from store.database import connect, reading, writing
from store.migrations import migrations
from store.sealing import record, seal_waiting

SOURCES: dict[str, tuple[str, dict[str, Any]]] = {
    "INSERT INTO account (id, real_name_verified, unit_authorised, unit_administrator, unit_code,"
    " signed_in_at) VALUES (:other, TRUE, FALSE, FALSE, 'U', now())": (
        "account",
        {"unit": "U", "real_name_verified": True, "unit_authorised": False, "unit_administrator": False},
    ),
    "UPDATE account SET unit_administrator = TRUE WHERE id = :account": (
        "account",
        {"unit": "U", "real_name_verified": True, "unit_authorised": True, "unit_administrator": True},
    ),
    "UPDATE claim SET state = 'lapsed', reason = 'code_expired'": (
        "claim_state",
        {"from": "waiting_for_code", "to": "lapsed", "reason": "code_expired", "unit": "U"},
    ),
    "UPDATE claim_confirmation SET state = 'lapsed'": (
        "claim_confirmation_state",
        {"from": "waiting", "to": "lapsed", "unit": "U"},
    ),
    "UPDATE sms_message SET state = 'failed', failure = 'template', provider = 'inbox'": (
        "text_message",
        {"message": "ID", "kind": "claim_code", "from": "pending", "to": "failed", "failure": "template",
         "provider": "inbox"},
    ),
    "INSERT INTO notice (id, account_id, kind, backup_id, due_at, created_at) VALUES"
    " (:id, :account, 'draft_expires', :backup, '2026-11-24T00:00:00+08', now())": (
        "reminder",
        {"notice": "ID", "account": "ACCOUNT", "expires_at": "2026-11-23T16:00:00Z"},
    ),
    "INSERT INTO legacy_import (digest, line, started_at) VALUES ('ab', 0, now())": (
        "legacy_import_begun",
        {"digest": "ab", "counts": {}},
    ),
    "INSERT INTO prior_report (backup_id, report_id, account_id, used_at, recorded_at, reported_by) VALUES"
    " (:backup, 'R-1', :account, '2026-11-24T00:00:00+08', now(), :id)": (
        "prior_report",
        {"report": "R-1", "account": "ACCOUNT", "used_at": "2026-11-23T16:00:00Z"},
    ),
}  # fmt: skip
"""What somebody does to a table; the event that comes of it."""
SILENT = (
    "UPDATE account SET signed_in_at = now()",
    "UPDATE account SET unit_authorised = TRUE WHERE id = :account",
    "UPDATE claim SET state = 'waiting_for_code'",
    "UPDATE sms_message SET provider = 'inbox'",
    "INSERT INTO notice (id, account_id, kind, created_at) VALUES (:id, :account, 'handover_given', now())",
)
"""What changes nothing that is to be told, or is told by the answer of the ledger."""
SCENE = """
    INSERT INTO unit (code, name) VALUES ('U', 'unit');
    INSERT INTO account (id, real_name_verified, unit_authorised, unit_administrator, signed_in_at, unit_code)
    VALUES (:account, TRUE, TRUE, FALSE, now(), 'U');
    INSERT INTO backup (id, state, creator_id, delegate_id, unit_code, created_at, saved_at, expires_at)
    VALUES (:backup, 'draft', :account, :account, 'U', now(), now(), now());
    INSERT INTO claim (id, account_id, unit_code, person_index, phone_index, address_index, state, moved,
                       already_moved, drafts_left, created_at)
    VALUES (:id, :account, 'U', '', '', '', 'waiting_for_code', 0, 0, 0, now());
    INSERT INTO claim_confirmation (claim_id, unit_code, backups, state, asked_at, decide_by)
    VALUES (:id, 'U', 1, 'waiting', now(), now());
    INSERT INTO sms_message (id, kind, case_id, state, created_at, send_before)
    VALUES (:id, 'claim_code', :id, 'pending', now(), now())
"""

Names = dict[str, uuid.UUID]


@pytest.fixture
def names(engine: Engine) -> Names:
    """An account, its draft, its claim with a text message."""
    names = {name: uuid.uuid4() for name in ("account", "other", "backup", "id")}
    with writing(engine) as writer:
        for statement in SCENE.split(";"):
            writer.connection().execute(text(statement), names)
    return names


def told(engine: Engine) -> list[dict[str, Any]]:
    """All events, the oldest first."""
    with reading(engine) as reader:
        rows = trail.events(reader, trail.Filters(), None, 100)
    return [dict(record(row)) for row in reversed(rows)]


def change(engine: Engine, statement: str, names: Names) -> list[dict[str, Any]]:
    """Carry a statement out; what the trail says of it."""
    before = len(told(engine))
    with writing(engine) as writer:
        writer.connection().execute(text(statement), names)
    return told(engine)[before:]


@pytest.mark.parametrize("statement", SOURCES)
def test_what_has_no_answer_in_the_ledger_leaves_an_event_by_its_table(
    engine: Engine, names: Names, statement: str
) -> None:
    act, facts = SOURCES[statement]
    known = {"ID": str(names["id"]), "ACCOUNT": str(names["account"])}
    (event,) = change(engine, statement, names)
    assert event["act"] == act
    assert event["facts"] == {name: known.get(str(value), value) for name, value in facts.items()}


@pytest.mark.parametrize("statement", SILENT)
def test_what_says_nothing_new_leaves_none(engine: Engine, names: Names, statement: str) -> None:
    assert change(engine, statement, names) == []


def test_a_backup_of_the_old_platform_is_proven_by_what_put_it_into_an_account(
    engine: Engine, names: Names
) -> None:
    moved = uuid.uuid4()
    (event,) = change(
        engine,
        "INSERT INTO operation (id, case_id, kind, request_digest, asked_at, outcome)"
        " VALUES (:moved, :account, 'attribution', '', now(), '{}')",
        {**names, "moved": moved},
    )
    delegations = """
        INSERT INTO delegation (backup_id, delegate_id, unit_code, since, until, operation_id)
        VALUES (:backup, :account, 'U', '2026-11-22', '2026-11-23', :moved),
               (:backup, :account, 'U', '2026-11-23', NULL, :id)
    """
    with writing(engine) as writer:
        writer.connection().execute(text(delegations), {**names, "moved": moved})
    with reading(engine) as reader:
        assert trail.event_of_backup(reader, names["backup"]) == event["id"]
        assert trail.event_of_backup(reader, names["other"]) is None


def test_what_was_done_before_there_was_a_trail_is_taken_over_in_its_order_and_sealed(
    empty_database: str,
) -> None:
    old_database = empty_database
    command.upgrade(migrations(old_database), "0011")
    engine = connect(old_database, pool_size=2)
    asked = "INSERT INTO operation (id, case_id, kind, request_digest, asked_at, outcome, finished_at) VALUES"
    values = "(gen_random_uuid(), gen_random_uuid(), '{}', '', now(), {}, now() - interval '{} hours')"
    rows = ("submit", "'{}'", 1), ("save_step", "'{}'", 2), ("open", "NULL", 3)
    with psycopg.connect(old_database.replace("+psycopg", "")) as connection:
        for row in rows:
            connection.execute((asked + values.format(*row)).encode())
    command.upgrade(migrations(old_database), "head")
    events = told(engine)
    assert [event["act"] for event in events] == ["save_step", "submit"]
    assert events[0]["at"] < events[1]["at"]
    assert seal_waiting(engine) == 2
    command.downgrade(migrations(old_database), "0011")
    command.upgrade(migrations(old_database), "head")
    assert len(told(engine)) == 2
    engine.dispose()
