"""Another version of the workflow comes to drafts that are open, and goes again: what goes on, what waits.

`docs/how-to/change-a-workflow.md` tells operators what is tried here.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import uuid4

import pytest
import pytest_asyncio
from backup_desk import GOOD, PROJECT, Desk, Draft, working
from changed_workflows import Patched, Unguarded
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import Client
from temporalio.service import RPCError

from api import commands
from rules.engine.release import Release
from schemas.contracts.backups import Submit, Verdict
from schemas.errors import Refusal
from settings import Settings
from wire import executions
from wire.chronicle import Chronicle
from workflows.backup_creation import BackupCreation

Deploy = Callable[[type[BackupCreation]], AbstractAsyncContextManager[None]]
NONDETERMINISM = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR


@pytest_asyncio.fixture(loop_scope="session")
async def idle_desk(client: Client, settings: Settings, release: Release) -> AsyncIterator[Desk]:
    """A desk that no worker stands behind until one is deployed."""
    desk = Desk.furnished(client, settings, release)
    yield desk
    desk.platform.engine.dispose()


@pytest.fixture
def deployed(client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Runs the worker of one version of the workflow while the block lasts."""

    @asynccontextmanager
    async def deploy(version: type[BackupCreation]) -> AsyncIterator[None]:
        monkeypatch.setattr("worker.BackupCreation", version)
        async with working(client, settings):
            yield

    return deploy


async def comes_true(what: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await what():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def fails_visibly(draft: Draft) -> None:
    """Wait until operators can see that the code does not take this draft further, and why."""
    client = draft.desk.platform.temporal

    async def is_seen() -> bool:
        described = await executions.describe(client, draft.handle.id)
        assert described is not None
        assert executions.lives(described)
        attributes = described.workflow_execution_info.search_attributes.indexed_fields
        reported = attributes["TemporalReportedProblems"].data
        return described.pending_workflow_task.attempt > 1 and b"WorkflowTaskFailed" in reported

    await comes_true(is_seen)
    failed = [
        event.workflow_task_failed_event_attributes
        for event in (await draft.history()).events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    ]
    assert failed[-1].cause == NONDETERMINISM
    told = [entry.text.zh for entry in Chronicle("run").told((await draft.history()).events)]
    assert told[-1] == "流程程序出错：程序与历史不符", "the timeline says so as well"


async def put_off(draft: Draft, update_id: str | None = None) -> None:
    """A submission is neither lost nor refused for good: the person is asked to repeat it later."""
    client, submit = draft.desk.platform.temporal, Submit(account_id=draft.desk.account)
    with pytest.raises(Refusal) as refused:
        await commands.update(client, draft.id, BackupCreation.submit, submit, update_id or str(uuid4()))
    assert refused.value.error.code == "waiting_for_platform"


async def rejected(draft: Draft) -> None:
    await draft.save("project", {"title": PROJECT["title"]})
    assert not (await draft.submit()).accepted


async def healed(draft: Draft, update_id: str | None = None) -> Verdict:
    """The answer to a submission, repeated until the task that failed has been tried again."""
    update_id = update_id or str(uuid4())
    async with asyncio.timeout(60):
        while True:
            try:
                return await draft.submit(update_id)
            except RPCError:
                await asyncio.sleep(0.2)


async def test_with_a_patch_open_drafts_go_on_and_after_a_roll_back_all_but_those_that_took_the_new_way(
    idle_desk: Desk, deployed: Deploy
) -> None:
    async with deployed(BackupCreation):
        old, untouched, tried = [await idle_desk.filled() for _ in range(3)]

    async with deployed(Patched):
        assert (await old.submit()).number, "opened before, sealed the new way"
        await rejected(tried)  # it went the new way, and is open still
        begun = idle_desk.draft()
        await begun.save("project", PROJECT)

    async with deployed(BackupCreation):
        await untouched.save("project", PROJECT)
        for step in list(GOOD)[1:]:
            await begun.save(step, GOOD[step])
        assert (await untouched.submit()).number
        assert (await begun.submit()).number, "begun on the new code, and none of it differs so far"
        await put_off(tried, update_id := str(uuid4()))
        await fails_visibly(tried)
        await put_off(tried, update_id)

    async with deployed(Patched):
        assert not (await healed(tried, update_id)).accepted, "the very request that was put off"
        await tried.save("project", PROJECT)
        assert (await tried.submit()).number
    assert tried.row().state == "numbered"
    assert (await tried.handle.result()).number == tried.row().number


async def test_without_a_patch_open_drafts_wait_visibly_and_go_on_when_the_old_worker_is_back(
    idle_desk: Desk, deployed: Deploy
) -> None:
    async with deployed(BackupCreation):
        draft = await idle_desk.filled()
        before = draft.row()

    async with deployed(Unguarded):
        await put_off(draft, update_id := str(uuid4()))
        await fails_visibly(draft)
        fresh = await idle_desk.filled()
        assert (draft.row().state, draft.row().saved_at) == (before.state, before.saved_at)

    async with deployed(BackupCreation):
        assert (await healed(draft, update_id)).number
        await put_off(fresh)
        await fails_visibly(fresh)

    async with deployed(Unguarded):  # what began on the wrong code can only end on it
        assert (await healed(fresh)).number
    assert {draft.row().state, fresh.row().state} == {"numbered"}
