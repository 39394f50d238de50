"""Moves at random beside a small model: one delegate at any instant, and the past stays as it was."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from settings import Settings
from store.database import connect
from store.handovers import Holding, hand_over, look
from store.moves import move, undo

UNITS = ("12990000EX00000106", "52990000EX0000029Y")
BEGINNING = datetime(2026, 11, 1, tzinfo=UTC)
PEOPLE, REGISTRANTS = range(3), range(2)
ACCOUNT = (
    "INSERT INTO account (id, real_name_verified, unit_authorised, unit_administrator, signed_in_at)"
    " VALUES (:id, true, true, false, :at)"
)
REGISTRANT = "INSERT INTO legacy_registrant (id, name, phone, person_index) VALUES (:id, '', '', '')"
LEGACY = (
    "INSERT INTO backup (id, state, number, registrant_id, created_at, saved_at)"
    " VALUES (:id, 'numbered', gen_random_uuid(), :registrant, :at, :at)"
)
DRAFT = (
    "INSERT INTO backup (id, state, creator_id, delegate_id, unit_code, created_at, saved_at, expires_at)"
    " VALUES (:id, 'draft', :who, :who, :unit, :at, :at, :at)"
)
FIRST = (
    "INSERT INTO delegation (backup_id, since, delegate_id, unit_code, operation_id)"
    " VALUES (:id, :at, :who, :unit, :operation)"
)
NOW = "SELECT id, delegate_id, unit_code FROM backup WHERE id = ANY(:ids)"
THEN = (
    "SELECT backup_id, delegate_id, unit_code FROM delegation WHERE backup_id = ANY(:ids)"
    " AND since <= :at AND (until IS NULL OR :at < until)"
)

Act = tuple[str, int, int]
Holders = dict[UUID, tuple[UUID, str] | None]
acts = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.sampled_from(PEOPLE), st.sampled_from(range(2))),
        st.tuples(st.just("claim"), st.sampled_from(REGISTRANTS), st.sampled_from(PEOPLE)),
        st.tuples(st.just("unclaim"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("hand_over"), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE)),
        st.tuples(st.just("hand_over_stale"), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE)),
        st.tuples(st.just("undo"), st.integers(0, 9), st.just(0)),
    ),
    max_size=12,
)


class Move(NamedTuple):
    """What an operation gave to whom."""

    operation: UUID
    old: UUID
    new: UUID
    backups: set[UUID]


class World:
    """Backups in PostgreSQL, and who holds them in a dict."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.clock = engine, BEGINNING
        self.people, self.registrants = [uuid4() for _ in PEOPLE], [uuid4() for _ in REGISTRANTS]
        self.legacy = {registrant: [uuid4(), uuid4()] for registrant in self.registrants}
        self.holders: Holders = {id_: None for ids in self.legacy.values() for id_ in ids}
        self.given_by: dict[UUID, UUID] = {}
        self.claims: list[Move] = []
        self.handovers: list[Move] = []
        self.past: list[tuple[datetime, Holders]] = []
        for person in self.people:
            self.run(ACCOUNT, id=person, at=BEGINNING)
        for registrant, ids in self.legacy.items():
            self.run(REGISTRANT, id=registrant)
            for id_ in ids:
                self.run(LEGACY, id=id_, registrant=registrant, at=BEGINNING)

    def run(self, statement: str, **facts: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), facts)

    def does(self, act: str, one: int, two: int) -> None:
        self.past.append((self.clock + timedelta(minutes=30), dict(self.holders)))
        self.clock += timedelta(hours=1)
        getattr(self, act)(one, two)

    # --- acts, in PostgreSQL and in the model -----------------------------------------------------

    def begin(self, person: int, unit: int) -> None:
        draft: dict[str, Any] = {
            "id": uuid4(),
            "who": self.people[person],
            "unit": UNITS[unit],
            "at": self.clock,
        }
        operation = uuid4()
        self.run(DRAFT, **draft)
        self.run(FIRST, **draft, operation=operation)
        self.takes({draft["id"]}, draft["who"], draft["unit"], operation)

    def claim(self, registrant: int, person: int) -> None:
        of, to, operation = self.registrants[registrant], self.people[person], uuid4()
        free = {id_ for id_ in self.legacy[of] if self.holders[id_] is None}
        facts: dict[str, Any] = {"to": to, "unit_code": UNITS[0], "operation_id": operation, "at": self.clock}
        with self.engine.begin() as connection:
            assert move(connection, registrants=[of], **facts).count == len(free)
        self.takes(free, to, UNITS[0], operation)
        if free:
            self.claims.append(Move(operation, to, to, free))

    def unclaim(self, nth: int, _: int) -> None:
        if not self.claims:
            return
        made = self.claims[nth % len(self.claims)]
        untouched = all(self.given_by.get(id_) == made.operation for id_ in made.backups)
        facts: dict[str, Any] = {"operation_id": uuid4(), "at": self.clock}
        with self.engine.begin() as connection:
            undone = undo(connection, operation_id_of_move=made.operation, **facts)
        assert undone.count == (len(made.backups) if untouched else 0)
        if untouched:
            self.holders |= dict.fromkeys(made.backups)
            for id_ in made.backups:
                del self.given_by[id_]

    def hand_over(self, old: int, new: int) -> None:
        self.hands_over(Holding(self.people[old], UNITS[0]), self.people[new])

    def hand_over_stale(self, old: int, new: int) -> None:
        holding = Holding(self.people[old], UNITS[0])
        facts: dict[str, Any] = {"operation_id": uuid4(), "at": self.clock}
        with self.engine.begin() as connection:
            assert hand_over(connection, holding, to=self.people[new], shown="0" * 64, **facts) is None

    def undo(self, nth: int, _: int) -> None:
        if self.handovers:
            made = self.handovers[nth % len(self.handovers)]
            self.hands_over(Holding(made.new, UNITS[0], made.operation), made.old)

    def hands_over(self, holding: Holding, to: UUID) -> None:
        held = {id_ for id_, held in self.holders.items() if held == holding[:2]}
        theirs = {id_ for id_ in held if holding.move_id in (None, self.given_by[id_])}
        facts: dict[str, Any] = {"to": to, "operation_id": uuid4(), "at": self.clock}
        with self.engine.begin() as connection:
            found = look(connection, holding)
            moved = hand_over(connection, holding, shown=found.digest, **facts)
        assert (found.total, moved) == (len(theirs), len(theirs))
        self.takes(theirs, to, holding.unit_code, facts["operation_id"])
        self.handovers.append(Move(facts["operation_id"], holding.delegate_id, to, theirs))

    def takes(self, ids: set[UUID], to: UUID, unit: str, operation: UUID) -> None:
        self.holders |= dict.fromkeys(ids, (to, unit))
        self.given_by |= dict.fromkeys(ids, operation)

    # --- comparing ----------------------------------------------------------------------------------

    def agrees(self) -> None:
        """Now and at every past instant, backups and the record of delegations say what the model says."""
        ids = list(self.holders)
        with self.engine.connect() as connection:
            now = connection.execute(text(NOW), {"ids": ids})
            assert {id_: (who, unit) if who else None for id_, who, unit in now} == self.holders
            for instant, holders in [*self.past, (self.clock + timedelta(minutes=30), self.holders)]:
                then = connection.execute(text(THEN), {"ids": ids, "at": instant}).all()
                assert len({id_ for id_, *_ in then}) == len(then), "one delegate at any instant"
                held = {id_: (who, unit) for id_, who, unit in then}
                assert held == {id_: who for id_, who in holders.items() if who is not None}


@pytest.fixture(scope="module")
def engine(module_settings: Settings) -> Iterator[Engine]:
    engine = connect(module_settings.database_url.get_secret_value())
    with engine.begin() as connection:
        for unit in UNITS:
            connection.execute(text("INSERT INTO unit VALUES (:code, '')"), {"code": unit})
    yield engine
    engine.dispose()


@settings(max_examples=60, deadline=None)
@given(acts)
def test_whatever_moves_every_backup_has_one_delegate_at_any_instant(engine: Engine, acts: list[Act]) -> None:
    world = World(engine)
    for act in acts:
        world.does(*act)
    world.agrees()
