"""Any sequence of claims, decisions, undoings and first sign-ins, against a model of who holds what.

Ownership is conserved: the backups of a legacy registrant are held by one account or by nobody, and move as a
whole.
"""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import ClassVar, NamedTuple
from uuid import UUID

import pytest
from claims_town import ADMINISTRATOR, Person, Registrant, Town, changed_rules, town_in, wrong
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from settings import Settings
from wire.client import connect

UNITS = st.sampled_from([0, 1])
PEOPLE = st.sampled_from([0, 1])
IDENTITIES = st.sampled_from([0, 1, 2])
BACKUPS = {(0, 0): 2, (0, 1): 3, (1, 0): 4, (2, 1): 1}
"""By identity and unit on record: the first person is on record of both units."""


class World:
    """The real servers and one town, in a loop that runs whenever something is asked."""

    def __init__(self, runner: asyncio.Runner, settings: Settings) -> None:
        self.do = runner.run
        self._open = AsyncExitStack()
        client = self.do(connect(settings))
        town = town_in(settings, client, changed_rules(unlimited=True))
        self.town: Town = self.do(self._open.enter_async_context(town))

    def close(self) -> None:
        self.do(self._open.aclose())


class Waiting(NamedTuple):
    """A proven claim that a unit on record has to decide on."""

    claim: UUID
    person: Person
    identity: int
    unit: int


class Claims(RuleBasedStateMachine):
    """Two units with two people and an administrator each, and three people of the past."""

    world: ClassVar[World]

    @initialize()
    def settle(self) -> None:
        do, town = self.world.do, self.world.town
        self.units = [town.unit(), town.unit()]
        self.people = [[do(town.person(unit)) for _ in range(2)] for unit in self.units]
        self.chiefs = [do(town.person(unit, ADMINISTRATOR)) for unit in self.units]
        self.old: dict[tuple[int, int], Registrant] = {}
        for (identity, unit), backups in BACKUPS.items():
            same = next((one for (who, _), one in self.old.items() if who == identity), None)
            self.old[identity, unit] = town.registrant(self.units[unit], backups, drafts=1, same_as=same)
        self.holder: dict[tuple[int, int], UUID | None] = dict.fromkeys(BACKUPS)
        self.waiting: list[Waiting] = []
        self.result: dict[UUID, list[int]] = {}
        """Of each claim: backups moved, and moved before."""
        self.reversible: list[tuple[UUID, int, tuple[int, int]]] = []

    def gives(self, claim: UUID, record: tuple[int, int], to: UUID) -> None:
        """What a move of one registrant does, in the model."""
        backups = BACKUPS[record]
        if self.holder[record] is None:
            self.holder[record] = to
            self.result[claim][0] += backups
        else:
            self.result[claim][1] += backups

    def state(self, claim: UUID, otherwise: str) -> str:
        moved, before = self.result[claim]
        return "moved" if moved else "already_moved" if before else otherwise

    @rule(unit=UNITS, person=PEOPLE, identity=IDENTITIES, mistyped=st.booleans())
    def a_person_claims(self, unit: int, person: int, identity: int, mistyped: bool) -> None:
        do, who = self.world.do, self.people[unit][person]
        was = next(old for (one, _), old in self.old.items() if one == identity)
        claim = do(who.claims(was))
        if mistyped:
            code = do(self.world.town.code(claim))
            assert do(who.tries(claim, wrong(code))).status_code == 422
        self.result[claim] = [0, 0]
        asked = []
        for record, backups in BACKUPS.items():
            if record[0] != identity:
                continue
            if record[1] == unit:
                self.gives(claim, record, who.account)
            elif self.holder[record] is None:
                asked.append(Waiting(claim, who, identity, record[1]))
            else:
                self.result[claim][1] += backups
        shown = do(who.proves(claim))
        expected = "waiting_for_unit" if asked else self.state(claim, "moved")
        assert (shown["state"], [shown["moved"], shown["already_moved"]]) == (expected, self.result[claim])
        self.waiting += asked

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 99), agree=st.booleans())
    def a_unit_decides(self, which: int, agree: bool) -> None:
        do = self.world.do
        asked = self.waiting.pop(which % len(self.waiting))
        word = {"decision": "agree" if agree else "decline"}
        path = f"/v1/claims/{asked.claim}/confirmations"
        assert do(self.chiefs[asked.unit].asks("POST", path, json=word)).status_code == 204
        if agree:
            self.gives(asked.claim, (asked.identity, asked.unit), asked.person.account)
        shown = do(asked.person.claim(asked.claim))
        expected = self.state(asked.claim, "moved" if agree else "declined")
        assert (shown["state"], shown["moved"]) == (expected, self.result[asked.claim][0])

    @rule(unit=UNITS, person=PEOPLE, identity=IDENTITIES)
    def a_unit_claims(self, unit: int, person: int, identity: int) -> None:
        do, record = self.world.do, (identity, unit)
        was = next(old for (one, _), old in self.old.items() if one == identity)
        heir, chief = self.people[unit][person], self.chiefs[unit]
        opened = do(chief.unit_claims(was, heir)).json()
        if record not in BACKUPS:
            assert opened["state"] == "not_matched"
        elif self.holder[record] is not None:
            assert opened["state"] == "already_moved"
        else:
            claim = UUID(opened["id"])
            done = do(chief.proves(claim, unit=True))
            assert (done["state"], done["moved"]) == ("moved", BACKUPS[record])
            self.holder[record] = heir.account
            self.reversible.append((claim, unit, record))

    @precondition(lambda self: self.reversible)
    @rule(which=st.integers(0, 99))
    def a_unit_undoes_its_claim(self, which: int) -> None:
        claim, unit, record = self.reversible.pop(which % len(self.reversible))
        path = f"/v1/unit-claims/{claim}/reversals"
        undone = self.world.do(self.chiefs[unit].asks("POST", path, json={"reason": "选错"}))
        assert undone.json()["state"] == "reversed"
        self.holder[record] = None

    @rule(unit=UNITS, identity=IDENTITIES)
    def somebody_signs_in_under_the_old_name_and_phone(self, unit: int, identity: int) -> None:
        do, town = self.world.do, self.world.town
        was = next(old for (one, _), old in self.old.items() if one == identity)
        newcomer = do(town.person(self.units[unit], name=was.name, phone=f"+86{was.phone}"))
        attributed = "SELECT count(*) FROM operation WHERE case_id = :id AND outcome IS NOT NULL"
        do(town.comes_true(attributed, id=newcomer.account))
        record = (identity, unit)
        if record in BACKUPS and self.holder[record] is None:
            self.holder[record] = newcomer.account

    @invariant()
    def every_backup_is_where_the_model_says(self) -> None:
        if not hasattr(self, "old"):
            return
        town = self.world.town
        for record, old in self.old.items():
            assert town.holders(old) == {self.holder[record]: BACKUPS[record]}
            held_now = (
                "SELECT count(*) FROM delegation JOIN backup ON id = backup_id"
                " WHERE registrant_id = :id AND until IS NULL AND delegation.delegate_id = :by"
            )
            expected = BACKUPS[record] if self.holder[record] else 0
            assert town.value(held_now, id=old.id, by=self.holder[record]) == expected


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    with asyncio.Runner() as runner:
        world = World(runner, settings)
        yield world
        world.close()


@pytest.mark.timeout(600)
def test_whatever_happens_ownership_is_conserved(world: World) -> None:
    Claims.world = world
    run_state_machine_as_test(
        Claims,
        settings=hypothesis_settings(
            max_examples=6,
            stateful_step_count=12,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink takes too long on real servers
            suppress_health_check=list(HealthCheck),
        ),
    )
