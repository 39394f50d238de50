"""The same update id gets the same answer, whatever came in between."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from uuid import uuid4

import pytest
import pytest_asyncio
from backup_desk import GOOD, Desk, Draft, file_list, refused, working
from temporalio.client import Client
from temporalio.worker import Worker

from api import commands
from rules.engine.release import Release
from schemas.contracts.backups import Sealed, StepRecorded, operation_id
from settings import Settings
from workflows.backup_creation import BackupCreation

EVENTS_PER_RUN = 12
"""A run of about one save."""


@pytest_asyncio.fixture(
    scope="module", loop_scope="session", params=["kept in memory", "replayed every time"]
)
async def desk(
    request: pytest.FixtureRequest, client: Client, module_settings: Settings, release: Release
) -> AsyncIterator[Desk]:
    """A desk whose worker keeps workflows in memory, or replays them from history for every task."""
    settings = module_settings.model_copy(update={"task_queue": f"{uuid4()}"})
    desk = Desk.furnished(client, settings, release)
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "replayed every time":
            patch.setattr("worker.Worker", partial(Worker, max_cached_workflows=0))
        async with working(client, settings):
            yield desk
    desk.platform.engine.dispose()


async def run_id(draft: Draft) -> str | None:
    return (await draft.handle.describe()).run_id


async def test_a_repeated_update_is_answered_as_before_and_done_once(desk: Desk) -> None:
    draft, opened, saved, rejected, checked = desk.draft(), *(str(uuid4()) for _ in range(4))
    opening, save = draft.command("project", {}), draft.command("data-files", file_list(in_transit=["gvm"]))

    async def everything() -> list[object]:
        return [
            await draft.send_save(opening, opened),
            await draft.send_save(save, saved),
            await draft.submit(rejected),
            await draft.check_deposits("gvm", checked),
        ]

    first = await everything()
    progress, history = await draft.progress(), (await draft.history()).events
    assert await everything() == first
    assert await draft.progress() == progress
    assert (await draft.history()).events == history


async def test_a_repeated_opening_finds_the_draft_it_opened(desk: Desk) -> None:
    draft, update_id = desk.draft(), str(uuid4())
    command = draft.command("project", {})
    where = desk.platform.temporal, desk.platform.task_queue
    open_ = partial(commands.open_backup, *where, draft.opening, BackupCreation.save_step, command)
    await asyncio.gather(*(open_(update_id) for _ in range(5)))
    assert (await draft.progress()).revisions == {"project": 1}


@pytest.mark.parametrize("end", ["numbered", "withdrawn"])
async def test_updates_are_answered_as_before_after_the_workflow_has_closed(desk: Desk, end: str) -> None:
    draft, saved, rejected, last = desk.draft(), *(str(uuid4()) for _ in range(3))
    save = draft.command("project", GOOD["project"])
    before: list[object] = [await draft.send_save(save, saved), await draft.submit(rejected)]
    for step in ("backup-information", "data-files"):
        await draft.save(step, GOOD[step])
    closing = draft.submit if end == "numbered" else draft.withdraw
    answer = await closing(last)
    await asyncio.wait_for(draft.handle.result(), 20)
    assert await closing(last) == answer
    assert [await draft.send_save(save, saved), await draft.submit(rejected)] == before


async def test_updates_are_answered_as_before_in_a_later_run(desk: Desk) -> None:
    draft = desk.draft(events_per_run=EVENTS_PER_RUN)
    saved, rejected, checked = (str(uuid4()) for _ in range(3))
    save = draft.command("data-files", file_list(in_transit=["gvm"]))

    async def everything() -> list[object]:
        return [
            await draft.send_save(save, saved),
            await draft.submit(rejected),
            await draft.check_deposits("gvm", checked),
        ]

    first, runs = await everything(), {await run_id(draft)}
    for _ in range(8):
        await draft.save("project", GOOD["project"])
        runs.add(await run_id(draft))
    assert len(runs) > 2, "several runs"
    before = await draft.progress()
    assert await everything() == first
    after = await draft.progress()
    assert (after.revisions, after.expires_at) == (before.revisions, before.expires_at)
    assert await refused(draft.save("project", {}, revision=0)) == "stale_revision"
    for step in ("backup-information", "data-files"):
        await draft.save(step, GOOD[step])
    assert (await draft.submit()).accepted


async def test_the_ledger_answers_for_runs_that_are_over(desk: Desk) -> None:
    draft = desk.draft(events_per_run=EVENTS_PER_RUN)
    saved, submitted = str(uuid4()), str(uuid4())
    answer = await draft.send_save(draft.command("project", GOOD["project"]), saved)
    for step in ("backup-information", "data-files"):
        await draft.save(step, GOOD[step])
    verdict = await draft.submit(submitted)
    await asyncio.wait_for(draft.handle.result(), 20)
    recorded = StepRecorded.model_validate(desk.outcome(operation_id(draft.id, saved)))
    sealed = Sealed.model_validate(desk.outcome(operation_id(draft.id, submitted)))
    assert (recorded.saved, sealed.verdict) == (answer, verdict)
