"""Any sequence of claims, handovers, statements, reports and so on, asked about at every past instant."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlmodel import Session
from temporalio.exceptions import ApplicationError

from activities.amendments import AmendmentActivities
from activities.prior_reports import PriorReportActivities
from rules.engine.judge import Judge
from rules.engine.load import load_rulebook
from schemas.contracts.amendments import WithdrawalOrder
from schemas.contracts.prior_reports import PriorReportOrder, RecordPriorReport
from schemas.tables.amendments import Amendment
from store.accounts import Profile, sign_in
from store.amendments import store
from store.database import connect, reading, writing
from store.eligibility import Answer, Eligibility, Question
from store.encryption import ColumnCipher
from store.handovers import Holding, hand_over
from store.moves import move, undo
from store.releases import Rulebook, Rulebooks
from wire.keys import KeyRing

sys.path.append(str(Path(__file__).parents[1] / "legacy"))

from legacy_ground import OTHER_UNIT, UNIT, new_registrant

START = datetime(2026, 11, 24, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MOMENT = timedelta(microseconds=1)

PEOPLE, GROUPS = st.integers(0, 2), st.integers(0, 1)
LATE = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(st.just("claim"), GROUPS, PEOPLE),
    st.tuples(st.just("undo"), st.integers(0, 5)),
    st.tuples(st.just("handover"), PEOPLE, PEOPLE),
    st.tuples(st.just("say"), PEOPLE, st.sampled_from([UNIT, UNIT, OTHER_UNIT, None]), LATE),
    st.tuples(st.just("report"), GROUPS, PEOPLE, LATE),
    st.tuples(st.just("withdraw"), GROUPS, PEOPLE),
)


class Always(Rulebooks):
    """The rules of this checkout, in force at any time."""

    def __init__(self) -> None:
        release = load_rulebook(Path("rules"))
        self._rulebook = Rulebook(release, Judge(release))

    def in_force(self, session: Session, at: datetime) -> Rulebook:
        return self._rulebook


class Held(NamedTuple):
    person: int
    since: datetime
    move: UUID


class World:
    """What the model knows beside what the database holds. A group is a registrant with one backup."""

    def __init__(self, engine: Engine, rulebooks: Rulebooks, cipher: ColumnCipher) -> None:
        self.engine, self.eligibility, self.cipher = engine, Eligibility(rulebooks), cipher
        self.amendments = AmendmentActivities(engine, rulebooks)
        self.reports = PriorReportActivities(engine, self.eligibility)
        self.now = START
        self.people = [uuid4() for _ in range(3)]
        self.registrants = [new_registrant(engine, 1) for _ in range(2)]
        with engine.connect() as connection:
            find = text("SELECT id, number FROM backup WHERE registrant_id = :r")
            rows = [connection.execute(find, {"r": each}).one() for each in self.registrants]
        self.backups, self.numbers = [row.id for row in rows], [row.number for row in rows]
        self.held: list[list[Held | None]] = [[], []]
        """Of each group who held it after each change, None for nobody, with the instant of the change."""
        self.changes: list[list[datetime]] = [[], []]
        self.said: list[list[tuple[datetime, datetime, str | None]]] = [[], [], []]
        self.moves: list[tuple[UUID, int]] = []
        self.used: list[tuple[int, datetime]] = []
        self.withdrawn: list[datetime | None] = [None, None]
        self.shown: list[str | None] = [None, None, None]
        """The unit that authorises each person by the token shown last."""
        for person in range(3):
            self.say(person, UNIT, 0)

    def changed(self, group: int, held: Held | None) -> None:
        self.held[group].append(held)
        self.changes[group].append(self.now)

    def holder(self, group: int, at: datetime) -> Held | None:
        past = [
            held for held, since in zip(self.held[group], self.changes[group], strict=True) if since <= at
        ]
        return past[-1] if past else None

    def standing(self, person: int, at: datetime) -> tuple[bool, str | None]:
        """Whether anything is known of a person at an instant, and the unit that authorises them."""
        known = [(since, told, unit) for since, told, unit in self.said[person] if since <= at]
        return (True, max(known, key=lambda each: each[:2])[2]) if known else (False, None)

    def expected(self, group: int, person: int, at: datetime) -> list[str]:
        known, unit = self.standing(person, at)
        held = self.holder(group, at)
        is_delegate = held is not None and held.person == person
        gone = self.withdrawn[group]
        reasons = ["not_withdrawn"] if gone is not None and gone <= at else []
        reasons += [] if is_delegate else ["delegate"]
        reasons += [] if known else ["real_name_verified"]
        reasons += [] if unit else ["unit_authorised"]
        return reasons + (["unit_of_backup"] if is_delegate and unit == OTHER_UNIT else [])

    # --- steps ------------------------------------------------------------------------------------

    def claim(self, group: int, person: int) -> None:
        operation = uuid4()
        with self.engine.begin() as connection:
            registrants, to = [self.registrants[group]], self.people[person]
            done = move(
                connection,
                registrants=registrants,
                to=to,
                unit_code=UNIT,
                operation_id=operation,
                at=self.now,
            )
        free = self.holder(group, self.now) is None
        assert done.count == int(free)
        if free:
            self.changed(group, Held(person, self.now, operation))
            self.moves.append((operation, group))

    def undo(self, which: int) -> None:
        if not self.moves:
            return
        operation, group = self.moves[which % len(self.moves)]
        with self.engine.begin() as connection:
            done = undo(connection, operation_id_of_move=operation, operation_id=uuid4(), at=self.now)
        held = self.holder(group, self.now)
        if held is None or held.move != operation:
            assert (done.count, done.gone_on) == (0, 1)
        elif any(each == group and used_at >= held.since for each, used_at in self.used):
            assert (done.count, done.used) == (0, 1)
        else:
            assert (done.count, done.gone_on, done.used) == (1, 0, 0)
            self.changed(group, None)

    def handover(self, person: int, to: int) -> None:
        if person == to:
            return
        operation = uuid4()
        holding = Holding(self.people[person], UNIT)
        with self.engine.begin() as connection:
            hand_over(
                connection, holding, to=self.people[to], shown=None, operation_id=operation, at=self.now
            )
        for group in range(2):
            held = self.holder(group, self.now)
            if held is not None and held.person == person:
                self.changed(group, Held(to, self.now, operation))

    def say(self, person: int, unit: str | None, late: int) -> None:
        """A token of some minutes ago is shown; what only repeats what is known of then adds nothing."""
        since, authorised = self.now - late * MINUTE, unit is not None
        profile = Profile(
            self.people[person], "张示例", "+8615400000001", unit or "", "", True, authorised, False, since
        )
        with writing(self.engine) as writer:
            sign_in(writer, self.cipher, profile, self.now)
        self.shown[person] = unit
        if self.standing(person, since) != (True, unit):
            self.said[person].append((since, self.now, unit))

    def report(self, group: int, person: int, late: int) -> None:
        used_at = self.now - late * MINUTE
        report = RecordPriorReport(
            report_id=uuid4().hex,
            backup_id=self.backups[group],
            number=self.numbers[group],
            account_id=self.people[person],
            used_at=used_at,
            reported_by=uuid4(),
        )
        order = PriorReportOrder(report=report, at=self.now)
        if self.expected(group, person, used_at):
            with pytest.raises(ApplicationError, match="not_eligible"):
                self.reports.record_prior_report(order)
        else:
            recorded = self.reports.record_prior_report(order)
            assert self.reports.record_prior_report(order) == recorded
            self.used.append((group, used_at))

    def withdraw(self, group: int, person: int) -> None:
        operation, account = uuid4(), self.people[person]
        asked: dict[str, Any] = {"backup_id": self.backups[group], "account_id": account}
        with writing(self.engine) as writer:
            row = {"id": operation, "kind": "withdrawal", **asked, "reason": b"", "stored_at": self.now}
            store(writer, Amendment(**row))
        order = WithdrawalOrder(operation_id=operation, **asked, at=self.now)
        held = self.holder(group, self.now)
        refused = None
        if held is None or held.person != person or self.shown[person] != UNIT:
            refused = "not_allowed"
        elif self.withdrawn[group] is not None:
            refused = "number_withdrawn"
        elif any(each == group for each, _ in self.used):
            refused = "used_in_prior_report"
        if refused is not None:
            with pytest.raises(ApplicationError, match=refused):
                self.amendments.withdraw_number(order)
        else:
            assert self.amendments.withdraw_number(order) == self.amendments.withdraw_number(order)
            self.withdrawn[group] = self.now

    def answers_as_the_model(self) -> None:
        minutes = int((self.now - START) / MINUTE) + 1
        instants = [START + n * MINUTE + d for n in range(minutes) for d in (-MOMENT, 0 * MOMENT, MINUTE / 2)]
        cases = [(group, person, at) for at in instants for group in range(2) for person in range(3)]
        questions = [Question(self.people[person], self.numbers[group], at) for group, person, at in cases]
        with reading(self.engine) as reader:
            answers = self.eligibility.answers(reader, questions)
        for case, answer in zip(cases, answers, strict=True):
            assert isinstance(answer, Answer)
            told = [reason.rule_id.removeprefix("prior-report.") for reason in answer.decision.reasons]
            assert (told, answer.decision.eligible) == ((wanted := self.expected(*case)), not wanted), case


@pytest.fixture(scope="module")
def rules() -> Rulebooks:
    return Always()


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    engine = connect(database)
    with engine.begin() as connection:
        units = [{"code": UNIT}, {"code": OTHER_UNIT}]
        connection.execute(text("INSERT INTO unit VALUES (:code, '')"), units)
    yield engine
    engine.dispose()


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEPS, min_size=1, max_size=15))
def test_every_past_instant_is_answered_as_the_model_does(
    engine: Engine, rules: Rulebooks, steps: list[tuple[str, ...]]
) -> None:
    world = World(engine, rules, ColumnCipher(KeyRing.generate()))
    for step, *facts in steps:
        world.now += MINUTE
        getattr(world, step)(*facts)
    world.answers_as_the_model()
