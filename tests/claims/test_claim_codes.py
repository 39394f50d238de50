"""Codes and limits at the very instant, and under a crowd: the transactions, without a workflow."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from schemas.errors import Refusal
from schemas.tables.claims import VerificationCode
from store import codes, limits
from store.database import connect, reading, writing
from store.encryption import ColumnCipher
from store.limits import Budget, Window
from wire.keys import KeyRing

NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
VALID = timedelta(minutes=5)
CIPHER = ColumnCipher(KeyRing.generate())


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    engine = connect(database, pool_size=20)
    yield engine
    engine.dispose()


# --- codes ------------------------------------------------------------------------------------------


def issued(engine: Engine, at: datetime = NOON) -> tuple[UUID, codes.Issued]:
    """A claim with a code."""
    claim = uuid4()
    with writing(engine) as writer:
        codes.ask(writer, claim, at, timedelta(seconds=60))
    with writing(engine) as writer:
        return claim, codes.issue(writer, CIPHER, claim, at, 6, VALID)


def attempt(engine: Engine, claim: UUID, code: str, at: datetime) -> str:
    with reading(engine) as reader:
        typed = codes.typed_digest(reader, CIPHER, claim, code)
    with writing(engine) as writer:
        return codes.attempt(writer, claim, typed, at, 5)


@pytest.mark.parametrize(
    ("after", "result"),
    [
        (timedelta(), "accepted"),
        (VALID - INSTANT, "accepted"),
        (VALID, "refused"),
        (VALID + INSTANT, "refused"),
    ],
)
def test_a_code_is_valid_up_to_the_instant_it_expires_at(
    engine: Engine, after: timedelta, result: str
) -> None:
    claim, code = issued(engine)
    assert attempt(engine, claim, code.code, NOON + after) == result


def test_a_code_is_used_once(engine: Engine) -> None:
    claim, code = issued(engine)
    assert attempt(engine, claim, code.code, NOON) == "accepted"
    assert attempt(engine, claim, code.code, NOON) == "refused"


def test_a_new_code_voids_the_old_one_and_gives_no_new_tries(engine: Engine) -> None:
    claim, first = issued(engine)
    assert attempt(engine, claim, "x", NOON) == "refused"
    with writing(engine) as writer:
        second = codes.issue(writer, CIPHER, claim, NOON, 6, VALID)
    old = codes.digest(CIPHER, claim, first.seq, first.code)
    with writing(engine) as writer:
        assert codes.attempt(writer, claim, old, NOON, 5) == "refused"
    assert [attempt(engine, claim, "x", NOON) for _ in range(3)] == ["refused", "refused", "locked"]
    assert attempt(engine, claim, second.code, NOON) == "locked"


def test_another_code_can_be_asked_for_from_the_very_second_on(engine: Engine) -> None:
    claim, _ = issued(engine)
    minute = timedelta(seconds=60)
    with pytest.raises(Refusal) as refused, writing(engine) as writer:
        codes.ask(writer, claim, NOON + minute - INSTANT, minute)
    assert refused.value.facts == {"retry_after": 1}
    with writing(engine) as writer:
        assert codes.ask(writer, claim, NOON + minute, minute).asked == 2


def test_codes_are_six_digits_evenly_drawn_and_printed_nowhere(engine: Engine) -> None:
    drawn = [issued(engine)[1] for _ in range(300)]
    assert all(len(each.code) == 6 and each.code.isdigit() for each in drawn)
    assert len({each.code for each in drawn}) > 290
    assert set(Counter(each.code[0] for each in drawn)) == set("0123456789")
    assert not any(each.code in f"{each!r}{each}" for each in drawn)


def test_digests_of_one_code_differ_from_claim_to_claim_and_from_code_to_code() -> None:
    claims = [uuid4() for _ in range(3)]
    digests = {codes.digest(CIPHER, claim, seq, "123456") for claim in claims for seq in range(3)}
    assert len(digests) == 9


# --- limits -----------------------------------------------------------------------------------------


def counted(engine: Engine, at: datetime, *windows: Window) -> int:
    """0 when a request was counted, else the seconds it was put off."""
    try:
        with writing(engine) as writer:
            limits.count(writer, windows, uuid4(), at)
    except Refusal as refusal:
        return int(refusal.facts["retry_after"])
    return 0


def test_a_window_is_full_up_to_the_second_its_first_request_leaves_it(engine: Engine) -> None:
    hour = Window("number:x", 5, timedelta(hours=1))
    for minute in range(5):
        assert counted(engine, NOON + timedelta(minutes=minute), hour) == 0
    assert counted(engine, NOON + timedelta(minutes=30), hour) == 30 * 60
    assert counted(engine, NOON + timedelta(hours=1) - INSTANT, hour) == 1
    assert counted(engine, NOON + timedelta(hours=1), hour) == 0
    assert counted(engine, NOON + timedelta(hours=1), hour) == 60


def test_what_is_refused_by_one_limit_is_counted_by_none(engine: Engine) -> None:
    narrow, wide = Window("number:y", 1, timedelta(hours=1)), Window("unit:y", 3, timedelta(days=1))
    assert counted(engine, NOON, narrow, wide) == 0
    for _ in range(5):
        assert counted(engine, NOON, narrow, wide) == 3_600
    others = [Window(f"number:y{n}", 1, timedelta(hours=1)) for n in range(3)]
    assert [counted(engine, NOON, other, wide) for other in others] == [0, 0, 86_400]


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(gaps=st.lists(st.integers(0, 40), max_size=25), most=st.integers(1, 4))
def test_no_span_of_the_windows_length_ever_holds_more_than_its_limit(
    engine: Engine, gaps: list[int], most: int
) -> None:
    window, at = Window(f"account:{uuid4()}", most, timedelta(minutes=60)), NOON
    accepted: list[datetime] = []
    for gap in gaps:
        at += timedelta(minutes=gap)
        free = sum(then > at - window.per for then in accepted) < most
        put_off = counted(engine, at, window)
        assert (put_off == 0) == free
        if free:
            accepted.append(at)
        else:
            assert sum(then > at + timedelta(seconds=put_off) - window.per for then in accepted) < most


def test_requests_at_once_never_exceed_a_limit(engine: Engine) -> None:
    hour, unit = Window("number:z", 5, timedelta(hours=1)), Window("unit:z", 50, timedelta(days=1))
    with ThreadPoolExecutor(16) as threads:
        results = list(threads.map(lambda _: counted(engine, NOON, hour, unit), range(200)))
    assert results.count(0) == 5


def test_the_days_budget_alarms_once_and_ends_at_midnight(engine: Engine) -> None:
    budget = Budget(date(2026, 11, 23), most=5, alarm_at=4, ends_at=NOON + timedelta(hours=12))
    alarms = []
    for _ in range(5):
        with writing(engine) as writer:
            alarms.append(limits.spend(writer, budget, NOON))
    assert alarms == [False, False, False, True, False]
    with pytest.raises(Refusal) as refused, writing(engine) as writer:
        limits.spend(writer, budget, NOON)
    assert refused.value.facts == {"retry_after": 12 * 3_600}
    with writing(engine) as writer:
        limits.spend(writer, budget._replace(day=date(2026, 11, 24)), NOON)


# --- ten thousand guesses ----------------------------------------------------------------------------


def test_ten_thousand_guesses_at_once_are_five_tries(engine: Engine) -> None:
    """Every guess is a transaction of its own, as a worker would run it; 16 at a time."""
    claim, code = issued(engine)
    guesses = [f"{n:06}" for n in range(10_000) if f"{n:06}" != code.code]
    typed = [codes.digest(CIPHER, claim, code.seq, guess) for guess in guesses]

    def guess(digest: str) -> str:
        with writing(engine) as writer:
            return codes.attempt(writer, claim, digest, NOON, 5)

    with ThreadPoolExecutor(16) as threads:
        results = Counter(threads.map(guess, typed))
    assert results["refused"] == 4
    assert results["locked"] == len(guesses) - 4
    assert attempt(engine, claim, code.code, NOON) == "locked"
    with reading(engine) as reader:
        row = reader.get_one(VerificationCode, claim)
        assert (row.tries, row.used_at) == (5, None)
