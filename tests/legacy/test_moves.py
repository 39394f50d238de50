"""Moves of legacy backups: whole sets, one winner, and back only when nothing has gone on."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from legacy_ground import AT, UNIT, new_account, new_registrant
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from store.moves import Moved, Undone, move, undo

LATER = AT + timedelta(days=1)


def _move(engine: Engine, registrants: list[UUID], to: UUID, operation: UUID | None = None) -> Moved:
    with engine.begin() as connection:
        return move(
            connection,
            registrants=registrants,
            to=to,
            unit_code=UNIT,
            operation_id=operation or uuid4(),
            at=AT,
        )


def _holders(engine: Engine) -> list[tuple[UUID | None, int]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT delegate_id, count(*) FROM backup GROUP BY 1 ORDER BY 1"))
        return [(delegate, count) for delegate, count in rows]


def _delegations(engine: Engine) -> list[UUID]:
    """Who holds a backup by the record of delegations, which must say what `backup` says."""
    with engine.connect() as connection:
        differing = text(
            "SELECT count(*) FROM backup LEFT JOIN delegation ON backup_id = id AND until IS NULL"
            " WHERE (backup.delegate_id, backup.unit_code)"
            " IS DISTINCT FROM (delegation.delegate_id, delegation.unit_code)"
        )
        assert connection.execute(differing).scalar() == 0
        return list(
            connection.execute(text("SELECT delegate_id FROM delegation WHERE until IS NULL")).scalars()
        )


def test_a_move_takes_all_that_nobody_holds_and_tells_the_rest(engine: Engine) -> None:
    first, second = new_account(engine), new_account(engine)
    one, two, other = (
        new_registrant(engine, 3, drafts=2),
        new_registrant(engine, 4),
        new_registrant(engine, 5),
    )
    with engine.connect() as connection:
        ids = connection.execute(
            text("SELECT id FROM backup WHERE registrant_id = :r ORDER BY id"), {"r": one}
        )
        digest = sha256(b"".join(id_.bytes for id_ in ids.scalars())).hexdigest()
    assert _move(engine, [one], first) == Moved(3, digest, drafts_left=2, already_own=0, already_moved=0)
    again = _move(engine, [one, two], first)
    assert (again.count, again.already_own, again.already_moved) == (4, 3, 0)
    late = _move(engine, [two, one], second)
    assert late == Moved(0, sha256().hexdigest(), drafts_left=2, already_own=0, already_moved=7)
    assert _holders(engine) == [(first, 7), (None, 5)]
    assert _delegations(engine) == [first] * 7
    assert _move(engine, [other], second).count == 5


@pytest.mark.parametrize("_", range(5))
def test_of_two_moves_at_once_one_wins_whole(engine: Engine, _: int) -> None:
    registrants = [new_registrant(engine, 50), new_registrant(engine, 50)]
    accounts = [new_account(engine), new_account(engine)]
    start = Barrier(2)

    def race(account: UUID, order: list[UUID]) -> Moved:
        start.wait()
        return _move(engine, order, account)

    with ThreadPoolExecutor(2) as pool:
        moved = list(pool.map(race, accounts, [registrants, registrants[::-1]]))
    assert sorted((each.count, each.already_moved) for each in moved) == [(0, 100), (100, 0)]
    assert set(_delegations(engine)) == {accounts[0 if moved[0].count else 1]}


def test_an_undone_move_leaves_the_backups_to_nobody_and_can_be_made_again(engine: Engine) -> None:
    first, second, operation = new_account(engine), new_account(engine), uuid4()
    registrant = new_registrant(engine, 3)
    _move(engine, [registrant], first, operation)
    with engine.begin() as connection:
        undone = undo(connection, operation_id_of_move=operation, operation_id=uuid4(), at=LATER)
    assert undone == Undone(3, gone_on=0)
    assert _holders(engine) == [(None, 3)]
    assert _delegations(engine) == []
    with engine.begin() as connection:
        moved = move(
            connection, registrants=[registrant], to=second, unit_code=UNIT, operation_id=uuid4(), at=LATER
        )
    assert (moved.count, moved.already_moved) == (3, 0)


def test_a_move_of_which_one_backup_has_gone_on_is_not_undone(engine: Engine) -> None:
    first, second, operation = new_account(engine), new_account(engine), uuid4()
    _move(engine, [new_registrant(engine, 3)], first, operation)
    with engine.begin() as connection:
        gone = connection.execute(text("SELECT id FROM backup LIMIT 1")).scalar()
        facts = {"id": gone, "to": second, "at": LATER, "operation": uuid4(), "unit": UNIT}
        for handover in (
            "UPDATE delegation SET until = :at WHERE backup_id = :id",
            (
                "INSERT INTO delegation (backup_id, since, delegate_id, unit_code, operation_id)"
                " VALUES (:id, :at, :to, :unit, :operation)"
            ),
            "UPDATE backup SET delegate_id = :to WHERE id = :id",
        ):
            connection.execute(text(handover), facts)
    with engine.begin() as connection:
        undone = undo(connection, operation_id_of_move=operation, operation_id=uuid4(), at=LATER)
    assert undone == Undone(0, gone_on=1)
    assert sorted(_holders(engine)) == sorted([(first, 2), (second, 1)])
    assert len(_delegations(engine)) == 3


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE backup SET delegate_id = NULL, unit_code = NULL",
        "UPDATE backup SET unit_code = NULL",
        "UPDATE backup SET registrant_id = gen_random_uuid()",
    ],
)
def test_only_a_legacy_backup_may_be_held_by_nobody(engine: Engine, change: str) -> None:
    account = new_account(engine)
    opened = text(
        "INSERT INTO backup (id, state, creator_id, delegate_id, unit_code, created_at, saved_at, expires_at)"
        " VALUES (gen_random_uuid(), 'draft', :id, :id, :unit, :at, :at, :at)"
    )
    with engine.begin() as connection:
        connection.execute(opened, {"id": account, "unit": UNIT, "at": AT})
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text(change))


def test_nobody_holds_a_backup_beside_another(engine: Engine) -> None:
    first, second = new_account(engine), new_account(engine)
    _move(engine, [new_registrant(engine, 1)], first)
    beside = text(
        "INSERT INTO delegation (backup_id, since, delegate_id, unit_code, operation_id)"
        " SELECT id, :at, :to, :unit, gen_random_uuid() FROM backup"
    )
    with pytest.raises(IntegrityError, match="delegation_now"), engine.begin() as connection:
        connection.execute(beside, {"at": LATER, "to": second, "unit": UNIT})
