"""The trail in a real database: written with the effect or not at all, never changed, always sealed."""

import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from audit_ground import write
from joserfc.jwk import KeySet
from sqlalchemy import Engine, text

from activities.audit import sealing
from audit.heads import TreeHead, read_head
from audit.proofs import ProofError, check
from audit.trail import Fault
from audit.tree import continues
from schemas.http.audit import InclusionProof
from store import audit, trail
from store.answer_keys import AnswerKeys
from store.database import reading, writing
from store.sealing import seal_waiting, sign_head, tip

REPOSITORY = Path(__file__).parents[2]
REFERENCE = (REPOSITORY / "docs" / "reference" / "audit.md").read_text("utf-8")
GRANTS = REFERENCE.partition("```sql\n")[2].partition("```")[0]
MORTAL = """
import os, sys
from store import sealing
from store.database import connect
def die(*_): os.kill(os.getpid(), 9)
kill_at = sys.argv[2]
setattr(sealing, kill_at, die)
sealing.seal_waiting(connect(sys.argv[1]))
"""


def faults(engine: Engine, public: KeySet, *known: TreeHead) -> list[Fault]:
    with reading(engine) as reader:
        return trail.verified(reader, public, known).faults


def ask(engine: Engine, statement: str, **parameters: Any) -> Any:
    with engine.connect() as connection:
        return connection.execute(text(statement), parameters).scalar()


def tamper(database: str, statement: str) -> None:
    """Change what the database protects, as somebody can who owns it."""
    with psycopg.connect(database.replace("+psycopg", "")) as connection:
        connection.execute("SET session_replication_role = replica")  # no trigger runs
        connection.execute(statement.encode())


def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("it never came to be")


def test_an_event_is_written_with_its_effect_or_not_at_all(engine: Engine) -> None:
    with suppress(ZeroDivisionError), writing(engine) as writer:
        audit.record(writer.connection(), act="undone", actor_kind="system")
        raise ZeroDivisionError
    assert ask(engine, "SELECT count(*) FROM audit_event") == 0
    assert ask(engine, "SELECT count(*) FROM audit_unsealed") == 0


def test_an_answer_of_the_ledger_is_an_event_however_it_is_written(engine: Engine) -> None:
    case, operation, account = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    asked = {"id": operation, "case": case, "account": account}
    with writing(engine) as writer:
        writer.connection().execute(
            text("""INSERT INTO operation (id, account_id, case_id, kind, request_digest, asked_at)
                    VALUES (:id, :account, :case, 'submit', 'ab', now())"""),
            asked,
        )
    assert ask(engine, "SELECT count(*) FROM audit_event") == 0  # asked is not done
    for outcome in ('{"refused": "not_allowed", "facts": {}}', '{"verdict": null}', '{"verdict": null}'):
        with writing(engine) as writer:
            writer.connection().execute(
                text("""INSERT INTO operation (id, case_id, kind, request_digest, asked_at)
                        VALUES (:id, :case, 'submit', '', now())
                        ON CONFLICT (id) DO UPDATE SET outcome = CAST(:outcome AS jsonb)"""),
                {**asked, "outcome": outcome},
            )
    with reading(engine) as reader:
        done, refused = trail.events(reader, trail.Filters(case_id=case), None, 10)
    assert refused.facts == {"request": "ab", "outcome": {"refused": "not_allowed", "facts": {}}}
    assert done.facts == {"request": "ab", "outcome": {"verdict": None}}
    assert {(row.actor_id, row.actor_kind, row.operation_id) for row in (done, refused)} == {
        (account, "person", operation)
    }


@pytest.mark.parametrize("table", ["audit_event", "audit_seal", "audit_tree_head"])
@pytest.mark.parametrize("change", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}"])
def test_not_even_the_owner_changes_a_row_by_mistake(engine: Engine, table: str, change: str) -> None:
    column = {"audit_event": "act", "audit_seal": "chain", "audit_tree_head": "root"}[table]
    with pytest.raises(Exception, match="append-only"), writing(engine) as writer:
        writer.connection().execute(text(change.format(table, column, column)))


def test_the_applications_role_adds_and_reads_and_nothing_else(
    engine: Engine, database: str, keys: AnswerKeys, public: KeySet
) -> None:
    role = f"app_{uuid.uuid4().hex}"
    url = database.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {role}".encode())
        owner.execute(GRANTS.replace("hgrip_app", role).encode())
    try:
        with psycopg.connect(url, autocommit=True) as application:
            application.execute(f"SET ROLE {role}".encode())
            application.execute("INSERT INTO audit_event (act, actor_kind) VALUES ('test', 'system')")
            assert application.execute("SELECT count(*) FROM audit_unsealed").fetchone() == (1,)
            for table in ("audit_event", "audit_seal", "audit_tree_head"):
                for change in ("DELETE FROM {}", "TRUNCATE {}", "ALTER TABLE {} DISABLE TRIGGER ALL"):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        application.execute(change.format(table).encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
                application.execute("UPDATE audit_event SET act = 'other'")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute("SET session_replication_role = replica")
            application.execute("INSERT INTO number_serial (day, last) VALUES (now(), 1)")
            application.execute("DELETE FROM number_serial")  # elsewhere it works as ever
    finally:
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(f"DROP OWNED BY {role}".encode())
            owner.execute(f"DROP ROLE {role}".encode())


def test_a_transaction_that_commits_late_is_sealed_behind_those_that_overtook_it(
    engine: Engine, public: KeySet
) -> None:
    with engine.connect() as slow:
        late = audit.record(slow, act="late", actor_kind="system")
        write(engine, 3)
        assert seal_waiting(engine) == 3
        write(engine, 2)
        assert seal_waiting(engine) == 2
        slow.commit()
    assert seal_waiting(engine) == 1
    assert ask(engine, "SELECT seq FROM audit_seal WHERE event_id = :id", id=late) == 5
    assert late == ask(engine, "SELECT min(id) FROM audit_event")
    assert faults(engine, public) == []


def test_many_sealers_seal_every_event_once_and_in_one_chain(engine: Engine, public: KeySet) -> None:
    threads = [threading.Thread(target=write, args=(engine, 50, f"writer_{n}")) for n in range(3)]
    with sealing(engine), sealing(engine), sealing(engine):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        eventually(lambda: ask(engine, "SELECT count(*) FROM audit_unsealed") == 0)
    assert ask(engine, "SELECT count(*) FROM audit_seal") == 150
    assert ask(engine, "SELECT max(seq) FROM audit_seal") == 149
    assert faults(engine, public) == []


@pytest.mark.parametrize("kill_at", ["seal_batch", "tip", "nodes", "seal"])
def test_where_a_sealer_is_killed_another_goes_on(
    engine: Engine, database: str, public: KeySet, kill_at: str
) -> None:
    write(engine, 5)
    assert seal_waiting(engine) == 5
    write(engine, 5)
    dead = subprocess.run([sys.executable, "-c", MORTAL, database, kill_at], cwd=REPOSITORY, check=False)
    assert dead.returncode == -signal.SIGKILL
    eventually(lambda: seal_waiting(engine) > 0 or ask(engine, "SELECT max(seq) FROM audit_seal") == 9)
    assert ask(engine, "SELECT count(*) FROM audit_seal") == 10
    assert faults(engine, public) == []


def test_an_event_is_sealed_while_another_transaction_stays_open(engine: Engine) -> None:
    with engine.connect() as slow, sealing(engine):
        audit.record(slow, act="slow", actor_kind="system")
        write(engine, 1)
        eventually(lambda: ask(engine, "SELECT count(*) FROM audit_seal") == 1)


def test_a_head_covers_all_that_was_committed_and_is_not_signed_twice(
    engine: Engine, keys: AnswerKeys, public: KeySet
) -> None:
    assert sign_head(engine, keys) == 0
    write(engine, 7)
    assert sign_head(engine, keys) == sign_head(engine, keys) == 7
    write(engine, 4)
    assert sign_head(engine, keys) == 11
    with reading(engine) as reader:
        new, old = (read_head(head.signed, public) for head in trail.heads(reader))
        path = [bytes.fromhex(each) for each in trail.continuation(reader, old.size, new.size)]
        assert new.chain == tip(reader).chain.hex()
    assert continues(bytes.fromhex(old.root), 7, bytes.fromhex(new.root), 11, path)
    assert faults(engine, public) == []


def test_every_event_under_a_head_is_proven_by_it_for_ever_and_no_altered_one_is(
    engine: Engine, keys: AnswerKeys, public: KeySet
) -> None:
    write(engine, 13)
    sign_head(engine, keys)
    write(engine, 2)
    seal_waiting(engine)
    with reading(engine) as reader:
        ids = [row.id for row in trail.events(reader, trail.Filters(), None, 100)][::-1]
        proofs = [trail.prove(reader, id_) for id_ in ids]
        assert trail.prove(reader, 10**9) is None
    assert proofs[13:] == [None, None]  # no head covers them yet
    sign_head(engine, keys)
    with reading(engine) as reader:
        assert [trail.prove(reader, id_) for id_ in ids[:13]] == proofs[:13]
    for proof in proofs[:13]:
        assert proof is not None
        again = InclusionProof.model_validate_json(proof.model_dump_json())
        assert check(again, public).size == 13
        for changed in (
            {"event": proof.event.model_copy(update={"act": "other"})},
            {"seq": (proof.seq + 1) % 13},
            {"path": proof.path[:-1]},
            {"path": ["zz"]},
        ):
            with pytest.raises(ProofError):
                check(proof.model_copy(update=changed), public)


TAMPERINGS = {
    "UPDATE audit_event SET act = 'other' WHERE id = 4": [Fault("event_changed", 3, 4)],
    "UPDATE audit_event SET at = at + interval '1 microsecond' WHERE id = 4": [Fault("event_changed", 3, 4)],
    "UPDATE audit_event SET facts = '{\"number\": 3.0}' WHERE id = 4": [Fault("event_changed", 3, 4)],
    "UPDATE audit_event SET reason = '' WHERE id = 4": [Fault("event_changed", 3, 4)],
    "DELETE FROM audit_event WHERE id = 4": [Fault("event_missing", 3, 4)],
    "DELETE FROM audit_seal WHERE seq = 3": [
        Fault("seal_missing", 3),
        Fault("head_differs", 8),
        Fault("event_unsealed", None, 4),
    ],
    "UPDATE audit_seal SET chain = sha256('') WHERE seq = 3": [
        Fault("seal_changed", 3, 4),
        Fault("seal_changed", 4, 5),
    ],
    "UPDATE audit_seal SET nodes[2] = sha256('') WHERE seq = 3": [Fault("tree_damaged", 3, 4)],
    "UPDATE audit_seal SET nodes = '{}' WHERE seq = 3": [
        Fault("seal_changed", 3, 4),
        Fault("tree_damaged", 7, 8),
        Fault("head_differs", 8),
    ],
    "UPDATE audit_seal SET event_id = 0 WHERE seq = 4; UPDATE audit_seal SET event_id = 5 WHERE seq = 5;"
    "UPDATE audit_seal SET event_id = 6 WHERE seq = 4": [
        Fault("event_changed", 4, 6),
        Fault("event_changed", 5, 5),
    ],
    "DELETE FROM audit_event WHERE id = 8; DELETE FROM audit_seal WHERE seq = 7": [Fault("cut_off", 8)],
    "INSERT INTO audit_event (act, actor_kind) VALUES ('more', 'system')": [Fault("event_unsealed", None, 9)],
    "DELETE FROM audit_unsealed; INSERT INTO audit_unsealed VALUES (99)": [Fault("event_missing", None, 99)],
    "UPDATE audit_tree_head SET root = sha256('')": [Fault("head_unreadable", 8)],
    "UPDATE audit_tree_head SET signed_at = now()": [Fault("head_unreadable", 8)],
    "UPDATE audit_tree_head SET signed = 'e30.e30.e30'": [Fault("head_unreadable", 8)],
}


@pytest.mark.parametrize("statement", TAMPERINGS)
def test_whoever_owns_the_database_and_changes_a_row_is_found_out(
    engine: Engine, database: str, keys: AnswerKeys, public: KeySet, statement: str
) -> None:
    write(engine, 8)
    sign_head(engine, keys)
    assert faults(engine, public) == []
    tamper(database, statement)
    assert faults(engine, public) == TAMPERINGS[statement]


def test_heads_that_were_kept_elsewhere_tell_when_those_in_the_database_were_taken_away(
    engine: Engine, database: str, keys: AnswerKeys, public: KeySet
) -> None:
    write(engine, 8)
    sign_head(engine, keys)
    with reading(engine) as reader:
        kept = read_head(trail.heads(reader)[0].signed, public)
    tamper(database, "TRUNCATE audit_tree_head; DELETE FROM audit_event; DELETE FROM audit_seal")
    assert faults(engine, public) == []
    assert faults(engine, public, kept) == [Fault("cut_off", 8)]


def test_an_event_that_nobody_seals_is_reported(engine: Engine, public: KeySet) -> None:
    with writing(engine) as writer:
        into = "INSERT INTO audit_event (act, actor_kind, at) VALUES "
        late = text(into + "('late', 'system', now() - interval '2 minutes')")
        writer.connection().execute(late)
    assert [fault.code for fault in faults(engine, public)] == ["event_overdue"]
