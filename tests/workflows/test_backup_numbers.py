"""Backup numbers: one per backup, one backup per number, without gaps, of the right day."""

import asyncio
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

from backup_desk import GOOD, Desk, Draft
from temporalio.testing import TimeSkipper

from api import commands
from api.changes import asked, carry_out
from api.commands import StillRunningError
from rules.engine.acts import china_day
from schemas.contracts.backups import Submit
from schemas.errors import Refusal
from schemas.tables.backups import NumberSerial
from store.database import writing
from workflows.backup_creation import BackupCreation

CROWD = 50
DAY = timedelta(days=1)


async def crowd(desk: Desk, size: int) -> list[Draft]:
    """Drafts that are ready to be submitted; content is stored once for all."""
    pattern = desk.draft()
    contents = [pattern.command(step, content) for step, content in GOOD.items()]

    drafts = [desk.draft() for _ in range(size)]
    for draft in drafts:
        for content in contents:
            await draft.send_save(content)
    return drafts


async def insist(draft: Draft, update_id: str) -> str:
    """Submit as the API does, again while it is busy; the number, or the code of the refusal."""
    platform, account = draft.desk.platform, draft.desk.account
    submission = Submit(account_id=account)
    send = partial(commands.update, platform.temporal, draft.id, BackupCreation.submit, submission, update_id)
    change = asked(platform, account, draft.id, "submit", update_id, None)
    while True:
        try:
            outcome = await carry_out(platform, change, lambda _: None, send)
        except StillRunningError:
            continue
        except Refusal as refusal:
            if not refusal.error.retryable:
                return refusal.error.code
        else:
            return str(outcome.answer["verdict"]["number"])


def last_serials(desk: Desk, last: int) -> None:
    """Pretend that so many numbers have been given out today (or tomorrow: midnight may be near)."""
    with writing(desk.platform.engine) as writer:
        today = china_day(datetime.now(UTC))
        writer.add_all([NumberSerial(day=day, last=last) for day in (today, today + DAY)])


async def number(draft: Draft) -> str:
    verdict = await draft.submit()
    assert verdict.number is not None
    return verdict.number


async def test_fifty_submissions_of_one_draft_at_once_give_it_one_number(own_desk: Desk) -> None:
    draft, following = await crowd(own_desk, 2)
    last_serials(own_desk, 0)
    told = await asyncio.gather(*(insist(draft, str(uuid4())) for _ in range(CROWD)))
    assert Counter(told) == {draft.row().number: 1, "backup_closed": CROWD - 1}
    closed = await asyncio.wait_for(draft.handle.result(), 20)
    assert closed.number == draft.row().number
    assert (await number(following))[-5:] == "00002", "none is lost"


async def test_one_submission_sent_fifty_times_at_once_gets_the_same_answer_each_time(own_desk: Desk) -> None:
    draft, following = await crowd(own_desk, 2)
    last_serials(own_desk, 0)
    update_id = str(uuid4())
    answers = await asyncio.gather(*(draft.submit(update_id) for _ in range(CROWD)))
    assert {answer.number for answer in answers} == {draft.row().number}
    assert (await number(following))[-5:] == "00002", "none is lost"


async def test_fifty_drafts_submitted_at_once_get_fifty_numbers_without_a_gap(own_desk: Desk) -> None:
    drafts = await crowd(own_desk, CROWD)
    numbers = await asyncio.gather(*(number(draft) for draft in drafts))
    assert [draft.row().number for draft in drafts] == numbers
    by_day = defaultdict(list)
    for issued in numbers:
        by_day[issued[:10]].append(int(issued[10:]))
    assert sum(map(len, by_day.values())) == CROWD
    for serials in by_day.values():
        assert sorted(serials) == list(range(1, len(serials) + 1))


async def test_the_serial_goes_on_with_more_digits_beyond_99999(own_desk: Desk) -> None:
    last_serials(own_desk, 99_998)
    numbers = [await number(draft) for draft in await crowd(own_desk, 3)]
    assert [issued[10:] for issued in numbers] == ["99999", "100000", "100001"]


async def test_the_number_carries_the_day_in_china_and_begins_anew_at_midnight_there(
    own_desk: Desk, time_skipper: TimeSkipper
) -> None:
    before, after = await crowd(own_desk, 2)
    now = datetime.now(UTC)
    evening = now.replace(hour=15, minute=40, second=0, microsecond=0) + DAY  # 23:40 in China
    await time_skipper.fast_forward(before.handle, evening - now)
    await time_skipper.fast_forward(after.handle, evening - now + timedelta(minutes=40))
    assert await number(before) == f"BF{evening:%Y%m%d}00001"
    assert await number(after) == f"BF{evening + DAY:%Y%m%d}00001", "already the next day, though not in UTC"
