"""A finished backup leaves a short history, and its list's size leaves none."""

import asyncio

from backup_desk import GOOD, Desk, Draft, file_list

EVENTS = 30
BYTES = 12 * 1024
SPREAD = 64
"""Bytes by which two histories of the same path differ: lengths of times, of ids of tasks."""


async def size(draft: Draft) -> tuple[int, int]:
    """Events and bytes of a closed draft's history, as the server keeps it: encrypted."""
    await asyncio.wait_for(draft.handle.result(), 20)
    events = (await draft.history()).events
    return len(events), sum(event.ByteSize() for event in events)


async def plain_path(desk: Desk, rows: int) -> Draft:
    """Three saves, one submission, one after the other."""
    draft = desk.draft()
    for step, content in (GOOD | {"data-files": file_list(rows)}).items():
        await draft.save(step, content)
    assert (await draft.submit()).accepted
    return draft


async def test_three_saves_and_a_submission_leave_at_most_30_events_and_12_kib(desk: Desk) -> None:
    events, size_ = await size(await plain_path(desk, 1))
    assert events <= EVENTS
    assert size_ <= BYTES


async def test_a_list_of_2000_rows_leaves_no_more_history_than_one_of_a_single_row(desk: Desk) -> None:
    short, long = await size(await plain_path(desk, 1)), await size(await plain_path(desk, 2_000))
    assert long[0] == short[0]
    assert abs(long[1] - short[1]) <= SPREAD
