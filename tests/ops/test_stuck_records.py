"""Stuck work as the database keeps it: noted once, cleared when it is over, the worst first."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

from activities.stuck_scan import BY_RECORDS
from schemas.stuck import CAUSES
from store import stuck
from store.database import connect, reading, writing
from store.stuck import Filter, Limits, Sighting

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANY = Filter()
ACCOUNT, OTHER = uuid4(), uuid4()
UNIT = "12990000EX00000106"
WORLD = f"""
    INSERT INTO unit VALUES ('{UNIT}', 'unit');
    INSERT INTO account (id, unit_code, real_name_verified, unit_authorised, unit_administrator, signed_in_at)
    VALUES ('{ACCOUNT}', '{UNIT}', true, true, false, now()),
           ('{OTHER}', '{UNIT}', true, true, false, now())
"""
BACKUP = """
    INSERT INTO backup (id, state, creator_id, delegate_id, unit_code, created_at, saved_at, expires_at)
    VALUES (:id, :state, :account, :account, :unit, :saved, :saved, :expires)
"""
CLAIM = """
    INSERT INTO claim (id, account_id, unit_code, person_index, phone_index, address_index, state, moved,
                       already_moved, drafts_left, created_at, due_at)
    VALUES (:id, :account, :unit, '', '', '', :state, 0, 0, 0, :at, :due)
"""
HANDOVER = """
    INSERT INTO handover (id, account_id, unit_code, from_id, to_id, state, backups, moved, gone_on,
                          created_at, due_at)
    VALUES (:id, :account, :unit, :account, :other, :state, 0, 0, 0, :at, :due)
"""
MESSAGE = """
    INSERT INTO sms_message (id, kind, case_id, state, failure, created_at, send_before)
    VALUES (:id, 'claim_code', :case, :state, :failure, :at, :at)
"""


class Records:
    """A database, and what is put into it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.put(WORLD)

    def put(self, statement: str, **facts: object) -> str:
        """Add a row; its id."""
        id_ = str(uuid4())
        common = {"id": id_, "account": ACCOUNT, "other": OTHER, "unit": UNIT, "at": AT}
        with self.engine.begin() as connection:
            connection.execute(text(statement), common | facts)
        return id_

    def draft(self, state: str = "draft", saved: datetime = AT, expires: datetime = AT + HOUR) -> str:
        return self.put(BACKUP, state=state, saved=saved, expires=expires)

    def note(self, *sightings: Sighting, at: datetime = AT) -> None:
        with writing(self.engine) as writer:
            stuck.note(writer, sightings, at)

    def scan(self, at: datetime = AT) -> None:
        """What a scan does about records."""
        with writing(self.engine) as writer:
            stuck.note_from_records(writer, Limits(), at)
            stuck.clear(writer, BY_RECORDS, at, at)

    def listed(self, wanted: Filter = ANY, as_of: datetime = AT) -> list[stuck.Entry]:
        with reading(self.engine) as reader:
            return stuck.page(reader, wanted, as_of, None, 1000)

    def causes(self) -> list[tuple[str, str]]:
        return sorted((each.workflow_id, each.cause) for each in self.listed())


@pytest.fixture
def records(database: str) -> Iterator[Records]:
    engine = connect(database, pool_size=2)
    yield Records(engine)
    engine.dispose()


def test_what_is_seen_again_keeps_its_beginning_and_what_is_over_leaves_the_list(records: Records) -> None:
    backup = records.draft()
    first = Sighting(f"backup-{backup}", "activity_retrying", AT - HOUR, "record_step", True, 5, "OSError")
    records.note(first)
    records.note(first._replace(since=AT, attempt=9), at=AT + HOUR)
    (entry,) = records.listed()
    assert (entry.since, entry.seen_at, entry.attempt) == (AT - HOUR, AT + HOUR, 9)
    assert (str(entry.case_id), entry.case_kind, entry.unit_code, entry.people) == (backup, "backup", UNIT, 1)
    with writing(records.engine) as writer:
        assert stuck.clear(writer, CAUSES, AT + HOUR, AT) == 0
        assert stuck.clear(writer, CAUSES, AT + 2 * HOUR, AT) == 1
    assert records.listed() == []
    records.note(first._replace(since=AT + 3 * HOUR), at=AT + 3 * HOUR)
    assert [each.since for each in records.listed()] == [AT + 3 * HOUR]


def test_a_deadline_that_has_passed_is_listed_until_something_comes_of_it(records: Records) -> None:
    past, soon = AT - timedelta(minutes=1), AT - timedelta(seconds=10)
    draft, claim = records.draft(expires=past), records.put(CLAIM, state="waiting_for_unit", due=past)
    records.put(HANDOVER, state="waiting_for_approval", due=past)
    records.draft(expires=soon)
    records.put(CLAIM, state="waiting_for_code", due=soon)
    records.scan()
    assert records.causes() == sorted(
        (id_, "timer_past_due") for id_ in (f"backup-{draft}", f"claim-{claim}", f"handover-{ACCOUNT}")
    )
    assert {each.workflow_id: each.people for each in records.listed()}[f"handover-{ACCOUNT}"] == 3
    for table in ("claim", "handover"):
        records.put(f"UPDATE {table} SET state = 'lapsed', due_at = NULL, closed_at = :at")
    records.put("UPDATE backup SET state = 'expired', closed_at = :at")
    records.scan(AT + timedelta(seconds=30))
    assert records.listed() == []


def test_deposits_are_listed_when_they_are_overdue_or_are_not_looked_up_any_more(records: Records) -> None:
    day = timedelta(days=1)
    overdue = records.draft("waiting_for_deposit", AT - 31 * day, AT + HOUR)
    unasked = records.draft("waiting_for_deposit", AT - 2 * day, AT + HOUR)
    records.draft("waiting_for_deposit", AT - HOUR, AT + HOUR)
    records.put("INSERT INTO deposit_check VALUES (:b, 'gvm', 'unavailable', 'not_asked', :at)", b=overdue)
    records.scan()
    assert records.causes() == sorted(
        [(f"backup-{overdue}", "wait_past_due"), (f"backup-{unasked}", "timer_past_due")]
    )


def test_a_repository_that_was_asked_and_did_not_answer_is_listed_until_it_does(records: Records) -> None:
    checked = "INSERT INTO deposit_check VALUES (:b, :repository, :result, :source, :at)"
    waiting = records.draft("waiting_for_deposit", AT - HOUR, AT + HOUR)
    silent = {"b": waiting, "repository": "gsa-human", "result": "unavailable", "source": "big-search"}
    records.put(checked, **silent)
    nobody = records.draft("waiting_for_deposit", AT - HOUR, AT + HOUR)
    records.put(checked, b=nobody, repository="gvm", result="unavailable", source="not_asked")
    records.scan()
    (entry,) = records.listed()
    assert (entry.workflow_id, entry.cause, entry.failure) == (
        f"backup-{waiting}",
        "repository_silent",
        "gsa-human",
    )
    records.put("UPDATE deposit_check SET result = 'not_public'")
    records.scan(AT + timedelta(seconds=30))
    assert records.listed() == []


def test_a_message_that_did_not_arrive_is_listed_while_its_claim_waits_for_the_code(records: Records) -> None:
    claim = records.put(CLAIM, state="waiting_for_code", due=AT + HOUR)
    records.put(MESSAGE, case=claim, state="failed", failure="unreachable", at=AT)
    late = records.put(CLAIM, state="waiting_for_code", due=AT + HOUR)
    records.put(MESSAGE, case=late, state="pending", failure=None, at=AT - timedelta(seconds=21))
    over = records.put(CLAIM, state="lapsed", due=None)
    records.put(MESSAGE, case=over, state="failed", failure="account")
    records.scan()
    found = {each.workflow_id: each.failure for each in records.listed(Filter(cause="delivery_failed"))}
    assert found == {f"claim-{claim}": "unreachable", f"claim-{late}": "pending"}
    later = AT + timedelta(seconds=30)
    for each in (claim, late):
        records.put(MESSAGE, case=each, state="sent", failure=None, at=later)
    records.scan(later)
    assert records.listed() == []


def test_a_request_is_unanswered_for_a_day_and_nobody_s_after_that(records: Records) -> None:
    backup = records.draft()
    asked = (
        "INSERT INTO operation (id, case_id, kind, request_digest, asked_at)"
        " VALUES (:id, :b, 'submit', '', :asked)"
    )
    for age in (timedelta(seconds=5), timedelta(minutes=1), timedelta(days=2)):
        records.put(asked, b=backup, asked=AT - age)
    with reading(records.engine) as reader:
        found = stuck.unanswered(reader, Limits(), AT, 10)
    assert found == [(f"backup-{backup}", AT - timedelta(minutes=1))]


def test_the_worst_comes_first_and_pages_of_one_list_fit_together(records: Records) -> None:
    records.put(HANDOVER, state="waiting_for_approval", due=AT)
    young = f"handover-{ACCOUNT}"
    old = [f"backup-{records.draft()}" for _ in range(3)]
    records.note(
        Sighting(young, "blocked", AT - HOUR),
        *[Sighting(id_, "blocked", AT - 2 * HOUR) for id_ in old],
        Sighting("hgrip-sweep", "activity_retrying", AT - timedelta(seconds=1), "sweep"),
    )
    whole = records.listed(as_of=AT + HOUR)
    assert [each.workflow_id for each in whole] == [young, *old, "hgrip-sweep"]
    assert whole[-1].case_kind == "system"
    pages: list[stuck.Entry] = []
    with reading(records.engine) as reader:
        while True:
            last = (pages[-1].score, pages[-1].id) if pages else None
            page = stuck.page(reader, ANY, AT + HOUR, last, 2)
            if not page:
                break
            pages += page
    assert pages == whole
    assert {each.workflow_id for each in records.listed(Filter(kind="handover"))} == {young}
    assert len(records.listed(Filter(unit_code=UNIT))) == 4
    assert records.listed(Filter(cause="unanswered")) == []
