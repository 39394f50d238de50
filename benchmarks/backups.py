"""Backup creation beside bare workflows: latency as ratios, history in events and bytes."""

import asyncio
from uuid import UUID, uuid4

from temporalio.client import WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy

from api.commands import workflow_id
from benchmarks.bare import Bare, Nothing
from benchmarks.ground import BARE_QUEUE, Ground, key, seconds
from benchmarks.rows import TIMES, Row, alternate, p50, ratio
from schemas.contracts.backups import SaveStep, Submit
from workflows.backup_creation import BackupCreation

PAUSE = 0.15
"""Seconds in which the development server, which takes up about 20 starts a second, can take up a few."""
IN_A_ROW = 5
"""No-ops one behind the other, the last of which is timed: blocks of 50 with `TIMES` measurements."""
EVENTS = 30
BYTES = 12 * 1024


async def measure(ground: Ground) -> list[Row]:
    """Submissions and saves beside their floors, in alternating blocks; then one plain history."""
    kinds = _Kinds(ground, await ground.opened())
    await kinds.open_bare()
    times = await alternate(
        {
            "no-op": kinds.no_op,
            "no-op alone": kinds.no_op_alone,
            "submit": kinds.submit,
            "bare update": kinds.bare_update,
            "bare update of a row": kinds.bare_update_of_a_row,
            "save": kinds.save,
            "submit over HTTP": kinds.submit_over_http,
        }
    )
    bare = ratio("", "", times["bare update"], times["no-op"]).value
    return [
        ratio(
            "submit_vs_noop",
            "submit → backup number, beside a block of bare no-op workflows",
            times["submit"],
            times["no-op"],
            floor=bare,
            goal=0.5,
        ),
        ratio(
            "submit_vs_noop_alone",
            "the same beside no-ops with a pause before each, which nothing holds back",
            times["submit"],
            times["no-op alone"],
            floor=ratio("", "", times["bare update"], times["no-op alone"]).value,
        ),
        ratio(
            "save_vs_bare_update",
            "a step saved, beside a bare update with one local activity",
            times["save"],
            times["bare update"],
            floor=ratio("", "", times["bare update of a row"], times["bare update"]).value,
            goal=1.3,
        ),
        ratio(
            "http_submit_vs_noop",
            "POST submission → backup number, beside a block of bare no-op workflows",
            times["submit over HTTP"],
            times["no-op"],
            floor=bare,
        ),
        *(
            p50(f"{kind.replace(' ', '_').replace('-', '')}_ms", f"{kind}, p50", times[kind])
            for kind in times
        ),
        *await _plain_history(ground),
    ]


class _Kinds:
    """One method for each thing timed.

    What it needs is made ready outside the time, for a block at once: a person's submission does not follow
    on the heels of another draft's beginning.
    """

    def __init__(self, ground: Ground, draft: UUID) -> None:
        self._ground = ground
        self._draft = draft
        self._revision = 1
        self._commands: list[SaveStep] = []
        self._filled: list[UUID] = []
        self._bare = ground.client.get_workflow_handle(f"bare-{uuid4()}")

    async def open_bare(self) -> None:
        client = self._ground.client
        await client.start_workflow(Bare.run, id=self._bare.id, task_queue=BARE_QUEUE)

    async def no_op(self) -> float:
        for _ in range(IN_A_ROW - 1):
            await self._no_op()
        return await self._no_op()

    async def no_op_alone(self) -> float:
        await asyncio.sleep(PAUSE)
        return await self._no_op()

    async def _no_op(self) -> float:
        id_ = f"nothing-{uuid4()}"
        return await seconds(self._ground.client.execute_workflow(Nothing.run, id=id_, task_queue=BARE_QUEUE))

    async def bare_update(self) -> float:
        return await seconds(self._bare.execute_update(Bare.update, False))

    async def bare_update_of_a_row(self) -> float:
        return await seconds(self._bare.execute_update(Bare.change_row))

    async def save(self) -> float:
        if not self._commands:
            self._commands = [self._next_command() for _ in range(TIMES)]
        command = self._commands.pop(0)
        return await seconds(self._ground.update(self._draft, BackupCreation.save_step, command))

    def _next_command(self) -> SaveStep:
        command = self._ground.save("project", self._ground.form("project"), self._revision)
        self._revision += 1
        return command

    async def submit(self) -> float:
        backup_id = await self._next_filled()
        command = Submit(account_id=self._ground.account_id)
        return await seconds(self._ground.update(backup_id, BackupCreation.submit, command))

    async def submit_over_http(self) -> float:
        return await seconds(self._posted(await self._next_filled()))

    async def _next_filled(self) -> UUID:
        if not self._filled:
            self._filled = [await self._ground.filled() for _ in range(TIMES)]
        return self._filled.pop(0)

    async def _posted(self, backup_id: UUID) -> None:
        answer = await self._ground.http.post(f"/v1/backups/{backup_id}/submission", headers=key())
        if answer.raise_for_status().json()["verdict"] != "accepted":
            raise AssertionError("the example was not accepted")


async def _plain_history(ground: Ground) -> list[Row]:
    backup_id = await ground.filled()
    await ground.update(backup_id, BackupCreation.submit, Submit(account_id=ground.account_id))
    await ground.client.get_workflow_handle(workflow_id(backup_id)).result()
    events, size = await ground.history(workflow_id(backup_id))
    bare_events, bare_size = await _bare_history(ground)
    plain = "three saves and one submission"
    return [
        Row("events_per_backup", f"history events, {plain}", events, "events", bare_events, EVENTS),
        Row("bytes_per_backup", f"history bytes, {plain}", size, "bytes", bare_size, BYTES),
    ]


async def _bare_history(ground: Ground) -> tuple[int, int]:
    """The history of a bare workflow with as many updates and local activities."""
    start = WithStartWorkflowOperation(
        Bare.run,
        id=f"bare-{uuid4()}",
        task_queue=BARE_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
    )
    await ground.client.execute_update_with_start_workflow(Bare.update, False, start_workflow_operation=start)
    handle = await start.workflow_handle()
    for last in (False, False, True):
        await handle.execute_update(Bare.update, last)
    await handle.result()
    return await ground.history(handle.id)
