"""Schedules (定时任务): what the platform does by the clock, in one table, and how it gets into Temporal.

A schedule of ours has an id that begins with `PREFIX`. One that is not in the table is removed, one that is
otherwise than declared is put right; whether an operator has paused it stays as it is.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleDescription,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from schemas.contracts.audit import SignTreeHead
from schemas.contracts.backups import Message
from schemas.contracts.operations import CatchUp, SweepOrder
from schemas.contracts.stuck import ScanOrder
from schemas.texts import Text
from wire.readable import Readable
from workflows.catch_up import CatchingUp
from workflows.stuck_scan import StuckScan
from workflows.sweep import Sweep
from workflows.tree_head import TreeHead

PREFIX = "hgrip-"
DAY = timedelta(days=1)


class Declared(NamedTuple):
    """One schedule.

    Attributes:
        name: Its id without `PREFIX`.
        workflow: What it starts; never twice at once.
        order: What that is told.
        every: How often.
        offset: How long after midnight UTC the first of a day is.
        at_most: How long one run may take; then it is ended, so that the next is not left out for ever.
        what: For people.
    """

    name: str
    workflow: Any
    order: Message
    every: timedelta
    offset: timedelta
    at_most: timedelta
    what: Text


SCHEDULES = (
    Declared(
        "stuck-scan", StuckScan.run, ScanOrder(), timedelta(seconds=30), timedelta(), timedelta(minutes=5),
        Text("查找滞留事项", "looks for stuck work"),
    ),
    Declared(
        "tree-head", TreeHead.run, SignTreeHead(), timedelta(hours=1), timedelta(), timedelta(minutes=50),
        Text("签署审计树头", "signs the tree head of the audit trail"),
    ),
    Declared(
        "catch-up", CatchingUp.run, CatchUp(), DAY, timedelta(hours=1), timedelta(hours=20),
        Text("补发提醒、补查递交（北京时间 9 点）", "reminders and look-ups that were missed, at 9 in China"),
    ),
    Declared(
        "sweep", Sweep.run, SweepOrder(), DAY, timedelta(hours=18, minutes=30), timedelta(hours=20),
        Text("清理无人认领的内容（北京时间 2:30）", "clears away orphan content, at 2:30 in China"),
    ),
)  # fmt: skip
"""The table."""

Change = Literal["created", "updated", "unchanged", "removed"]


class Standing(NamedTuple):
    """How one of our schedules stands in Temporal.

    Attributes:
        as_declared: Whether it is there and says what the table says.
        next_at: When it is due next.
        last_at: When it last started a workflow.
        running: Workflows it has started that still run.
    """

    name: str
    as_declared: bool
    paused: bool = False
    next_at: datetime | None = None
    last_at: datetime | None = None
    running: int = 0


async def apply(client: Client, task_queue: str) -> dict[str, Change]:
    """Make the schedules in Temporal those of the table; repeated, it changes nothing.

    Returns:
        What was done, by name.
    """
    done: dict[str, Change] = {
        declared.name: await _put(client, declared, task_queue) for declared in SCHEDULES
    }
    async for name in _names(client):
        if name not in done:
            await client.get_schedule_handle(PREFIX + name).delete()
            done[name] = "removed"
    return done


async def standing(client: Client, task_queue: str) -> list[Standing]:
    """How the schedules of the table stand, in its order."""
    return [await _standing(client, declared, task_queue) for declared in SCHEDULES]


async def _put(client: Client, declared: Declared, task_queue: str) -> Change:
    wanted = _schedule(declared, task_queue)
    try:
        await client.create_schedule(PREFIX + declared.name, wanted)
    except ScheduleAlreadyRunningError:
        pass
    else:
        return "created"
    handle = client.get_schedule_handle(PREFIX + declared.name)
    if await _says(client, await handle.describe()) == _wanted(declared, task_queue):
        return "unchanged"

    def put_right(found: ScheduleUpdateInput) -> ScheduleUpdate:
        wanted.state.paused = found.description.schedule.state.paused
        return ScheduleUpdate(wanted)

    await handle.update(put_right)
    return "updated"


async def _standing(client: Client, declared: Declared, task_queue: str) -> Standing:
    try:
        found = await client.get_schedule_handle(PREFIX + declared.name).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return Standing(declared.name, as_declared=False)
    return Standing(
        declared.name,
        as_declared=await _says(client, found) == _wanted(declared, task_queue),
        paused=found.schedule.state.paused,
        next_at=min(found.info.next_action_times, default=None),
        last_at=max((action.started_at for action in found.info.recent_actions), default=None),
        running=len(found.info.running_actions),
    )


async def _names(client: Client) -> AsyncIterator[str]:
    async for found in await client.list_schedules():
        if found.id.startswith(PREFIX):
            yield found.id.removeprefix(PREFIX)


def _schedule(declared: Declared, task_queue: str) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            declared.workflow,
            declared.order,
            id=PREFIX + declared.name,
            task_queue=task_queue,
            execution_timeout=declared.at_most,
            static_summary=Readable(declared.what.zh),
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=declared.every, offset=declared.offset)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=declared.every),
        state=ScheduleState(note=_note(declared)),
    )


def _note(declared: Declared) -> str:
    return f"{declared.what.zh} / {declared.what.en}"


def _wanted(declared: Declared, task_queue: str) -> tuple[object, ...]:
    """What a schedule that is as declared says."""
    name = declared.workflow.__qualname__.partition(".")[0]
    order = declared.order.model_dump(mode="json")
    times = (declared.every, declared.offset, declared.every, declared.at_most)
    return name, task_queue, order, times, ScheduleOverlapPolicy.SKIP, _note(declared)


async def _says(client: Client, found: ScheduleDescription) -> tuple[object, ...]:
    """What a schedule in Temporal says."""
    schedule = found.schedule
    action, (interval, *_) = schedule.action, [*schedule.spec.intervals, ScheduleIntervalSpec(timedelta())]
    if not isinstance(action, ScheduleActionStartWorkflow):
        return ()
    (order,) = await client.data_converter.decode(action.args, [dict])
    times = (interval.every, interval.offset or timedelta(), schedule.policy.catchup_window)
    return (
        action.workflow,
        action.task_queue,
        order,
        (*times, action.execution_timeout),
        schedule.policy.overlap,
        schedule.state.note,
    )
