"""What the platform does by the clock, in a real Temporal."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from http_deployment import Deployment
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleSpec,
    ScheduleUpdate,
    WorkflowFailureError,
)

from workflows.schedules import PREFIX, SCHEDULES, apply, standing

NAMES = [declared.name for declared in SCHEDULES]


@pytest.fixture
async def applied(client: Client, plant: Deployment) -> AsyncIterator[str]:
    """The task queue that our schedules start workflows on."""
    queue = plant.settings.task_queue
    await apply(client, queue)
    yield queue
    for name in NAMES:
        await client.get_schedule_handle(PREFIX + name).delete()


async def test_applied_twice_the_second_time_changes_nothing(client: Client, applied: str) -> None:
    assert await apply(client, applied) == dict.fromkeys(NAMES, "unchanged")
    assert all(each.as_declared and each.next_at for each in await standing(client, applied))


async def test_a_schedule_that_was_changed_by_hand_is_put_right_and_stays_paused(
    client: Client, applied: str
) -> None:
    handle = client.get_schedule_handle(f"{PREFIX}sweep")
    await handle.pause()
    description = await handle.describe()
    description.schedule.spec.intervals[0].every = timedelta(days=2)
    await handle.update(lambda found: ScheduleUpdate(description.schedule))
    assert [each.name for each in await standing(client, applied) if not each.as_declared] == ["sweep"]
    assert await apply(client, applied) == {**dict.fromkeys(NAMES, "unchanged"), "sweep": "updated"}
    (sweep,) = [each for each in await standing(client, applied) if each.name == "sweep"]
    assert sweep.as_declared
    assert sweep.paused
    await handle.unpause()


async def test_what_is_missing_is_made_and_what_is_ours_no_more_is_removed(
    client: Client, applied: str
) -> None:
    await client.get_schedule_handle(f"{PREFIX}sweep").delete()
    old = ScheduleActionStartWorkflow("Old", id="old", task_queue=applied)
    for id_ in (f"{PREFIX}old", "somebody-else's"):
        await client.create_schedule(id_, Schedule(action=old, spec=ScheduleSpec()))
    while len([each async for each in await client.list_schedules()]) < len(NAMES) + 1:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    done = await apply(client, applied)
    assert (done["sweep"], done["old"]) == ("created", "removed")
    theirs = client.get_schedule_handle("somebody-else's")
    await theirs.describe()
    await theirs.delete()


async def test_every_schedule_starts_a_workflow_that_the_worker_runs_to_its_end(
    client: Client, applied: str
) -> None:
    for declared in SCHEDULES:
        handle = client.get_schedule_handle(PREFIX + declared.name)
        try:
            await _run_once(client, handle)
        except WorkflowFailureError:  # a connection that an earlier test has cut; the next run has a new one
            await _run_once(client, handle)


async def _run_once(client: Client, handle: ScheduleHandle) -> None:
    known = len((await handle.describe()).info.recent_actions)
    await handle.trigger()
    while len(started := (await handle.describe()).info.recent_actions) == known:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    execution = started[-1].action
    assert isinstance(execution, ScheduleActionExecutionStartWorkflow)
    await client.get_workflow_handle(execution.workflow_id).result()
