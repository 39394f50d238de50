"""Queries that operators are told of find what they say."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path

from backup_desk import Desk, file_list

from wire.executions import listed

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "operators-queries.md"
QUERIES = re.findall(r"^\| [^|]+ \| `([^`]+ [^`]+)` \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)


async def found(desk: Desk, query: str) -> set[str]:
    return set(await listed(desk.platform.temporal, query, 1_000))


async def becomes_findable(desk: Desk, query: str, workflow_id: str) -> None:
    for _ in range(100):
        if workflow_id in await found(desk, query):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{query} does not find {workflow_id}")


async def test_every_documented_query_is_understood_by_the_server(desk: Desk) -> None:
    assert len(QUERIES) > 10
    for query in QUERIES:
        await found(desk, query)


async def test_a_draft_is_found_by_stage_unit_release_and_deadline_and_a_number_by_itself(desk: Desk) -> None:
    numbered, waiting = await desk.filled(), await desk.filled()
    number = (await numbered.submit()).number
    await waiting.save("data-files", file_list(in_transit=["gvm"]))
    of_unit = f"HgrUnit = '{waiting.opening.unit_code}' AND HgrRelease = '{waiting.opening.release}'"
    await becomes_findable(desk, f"HgrStage = 'waiting_for_deposit' AND {of_unit}", waiting.handle.id)
    await becomes_findable(desk, f"HgrBackupNumber = '{number}'", numbered.handle.id)
    due = (await waiting.progress()).recheck_at
    assert due is not None
    at_latest = due + timedelta(milliseconds=1)  # the embedded visibility store rounds to milliseconds
    await becomes_findable(desk, f"HgrDeadline <= '{at_latest.isoformat()}' AND {of_unit}", waiting.handle.id)
    before = await found(desk, f"HgrDeadline < '{due:%Y-%m-%dT%H:%M:%S}Z'")
    assert waiting.handle.id not in before
