"""Attribution: name, phone and unit all equal, once for each account, whole or not at all."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from attribution_desk import NAME, OTHER_UNIT, PHONE, UNIT, UNIT_NAME, Desk
from sqlalchemy import text
from temporalio.client import Client, WorkflowFailureError

from schemas.contracts.attribution import Attributed
from settings import Settings
from wire.refusals import refusal_in


@pytest.fixture
def desk(settings: Settings, client: Client, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(settings, client, tmp_path)
    yield desk
    desk.engine.dispose()


async def test_what_is_equal_in_any_spelling_moves_and_drafts_stay(desk: Desk) -> None:
    desk.imports(
        ("張示例", "138 0013 8000", UNIT, "A1"),
        (" 张 示例", "+8613800138000", UNIT_NAME, "A2"),
        (NAME, PHONE, UNIT, ""),
    )
    account = desk.signs_in()
    async with desk.worker():
        attributed = await desk.attributes(account)
    assert attributed == Attributed(moved=2, drafts_left=1)
    assert desk.numbers(account) == ["A1", "A2"]
    assert (
        desk.value("SELECT count(*) FROM delegation WHERE delegate_id = :a AND until IS NULL", a=account) == 2
    )
    assert desk.value("SELECT min(unit_code) FROM backup") == UNIT
    facts = desk.value("SELECT facts FROM notice WHERE account_id = :a AND kind = 'attribution'", a=account)
    assert facts == attributed.model_dump()


@pytest.mark.parametrize(
    ("name", "phone", "unit"),
    [
        ("张示列", PHONE, UNIT),
        (NAME, "13800138001", UNIT),
        (NAME, PHONE, OTHER_UNIT),
        (NAME, PHONE, f"{UNIT_NAME}分院"),
        ("李四", "13900139000", UNIT),
    ],
)
async def test_what_differs_in_one_of_the_three_stays_and_nothing_tells_of_it(
    desk: Desk, name: str, phone: str, unit: str
) -> None:
    desk.imports((name, phone, unit, "A1"), (name, phone, unit, ""))
    account = desk.signs_in()
    async with desk.worker():
        assert await desk.attributes(account) == Attributed()
    assert desk.numbers(None) == ["A1"]
    assert desk.value("SELECT facts FROM notice") == Attributed().model_dump()


async def test_an_account_is_attributed_once_even_when_temporal_has_forgotten(desk: Desk) -> None:
    account = desk.signs_in()
    async with desk.worker():
        assert (await desk.attributes(account)).moved == 0
        desk.imports((NAME, PHONE, UNIT, "A1"))
        first = (await desk.handle(account).describe()).run_id
        assert (await desk.attributes(account)).moved == 0
        assert (await desk.handle(account).describe()).run_id != first
    assert desk.numbers(None) == ["A1"]
    assert desk.value("SELECT count(*) FROM notice") == 1
    assert desk.value("SELECT count(*) FROM operation") == 1


async def test_of_two_accounts_of_one_person_one_gets_all_and_the_other_is_told(desk: Desk) -> None:
    desk.imports(*[(NAME, PHONE, UNIT, f"A{n}") for n in range(200)])
    accounts = [desk.signs_in(), desk.signs_in()]
    async with desk.worker():
        attributed = await asyncio.gather(*map(desk.attributes, accounts))
    outcome = sorted((each.moved, each.already_moved) for each in attributed)
    assert outcome == [(0, 200), (200, 0)]
    assert sorted(len(desk.numbers(account)) for account in accounts) == [0, 200]


@pytest.mark.parametrize("phone", ["+85251234567", "+861084097816", ""])
async def test_who_has_no_mobile_number_here_signs_in_and_nothing_is_moved(desk: Desk, phone: str) -> None:
    account = desk.signs_in(phone=phone)
    async with desk.worker():
        with pytest.raises(WorkflowFailureError) as failed:
            await desk.attributes(account)
    refused = refusal_in(failed.value)
    assert refused is not None
    assert refused.error.code == "not_allowed"
    assert desk.value("SELECT count(*) FROM operation") == 0


@pytest.mark.parametrize("moment", ["before_commit", "after_commit"])
async def test_kill_9_in_the_move_moves_all_or_nothing_and_never_twice(desk: Desk, moment: str) -> None:
    desk.imports(*[(NAME, PHONE, UNIT, f"A{n}") for n in range(50)])
    account = desk.signs_in()
    await desk.begins(account)
    with desk.mortal_worker(moment) as mortal:
        deadline = time.monotonic() + 40
        while mortal.alive:
            assert time.monotonic() < deadline, mortal.log.read_text()
            await asyncio.sleep(0.02)
    assert len(desk.numbers(account)) == (50 if moment == "after_commit" else 0)
    async with desk.worker():
        await desk.miss_the_dead_worker(account)
        assert await desk.handle(account).result() == Attributed(moved=50)
    assert len(desk.numbers(account)) == 50
    assert desk.value("SELECT count(*) FROM delegation") == 50
    assert desk.value("SELECT count(*) FROM notice") == 1


async def _history(desk: Desk, account: UUID) -> tuple[int, int]:
    history = await desk.handle(account).fetch_history()
    return len(history.events), max(event.ByteSize() for event in history.events)


async def test_the_history_is_no_longer_for_a_hundred_thousand_than_for_one(desk: Desk) -> None:
    desk.imports((NAME, PHONE, UNIT, "A1"), ("李四", "13900139000", UNIT, "B1"))
    more = text(
        "INSERT INTO backup (id, state, number, registrant_id, created_at, saved_at)"
        " SELECT gen_random_uuid(), 'numbered', 'B' || n, registrant_id, created_at, saved_at"
        " FROM backup, generate_series(2, 100000) n WHERE number = 'B1'"
    )
    with desk.engine.begin() as connection:
        connection.execute(more)
    few, many = desk.signs_in(), desk.signs_in("李四", "13900139000")
    async with desk.worker():
        assert (await desk.attributes(few)).moved == 1
        assert (await desk.attributes(many)).moved == 100_000
    (events, size), (least, least_size) = await _history(desk, many), await _history(desk, few)
    assert events == least
    assert size <= least_size + 16
    assert size < 1024
