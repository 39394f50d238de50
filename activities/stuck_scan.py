"""The stuck scan (滞留扫描): what our own records, Temporal's visibility and its workflows tell."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy import Engine
from temporalio import activity
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import Client

from schemas.contracts.stuck import Scanned, ScanOrder
from schemas.errors import Refusal
from schemas.stuck import NOTED_FROM, Cause, plain_type
from store import stuck
from store.database import Reader, Writer, reading, writing
from store.releases import Rulebooks
from store.stuck import Limits, Sighting
from wire import executions

MOST = 1_000
"""Workflows that are looked at one by one in a scan, of each cause; more come in the next."""
AT_ONCE = 20
FAILED_TASKS = 3
"""The attempt of a workflow task from which on its code is taken to fail."""
FORGOTTEN = timedelta(minutes=3)
"""After this long unseen a failing activity is over: longer than its longest attempt and pause."""
BLOCKS_SHOW = timedelta(minutes=1)
"""Visibility follows what happens with some delay: a block that it does not show yet is not over."""
BY_RECORDS: tuple[Cause, ...] = ("timer_past_due", "wait_past_due", "repository_silent", "delivery_failed")
BY_LOOKING: tuple[Cause, ...] = ("task_failures", "unanswered")
_LIVING = "ExecutionStatus IN ('Running', 'Paused')"
BLOCKED = f"HgrBlocked = true AND {_LIVING}"
TASK_FAILURES = f"TemporalReportedProblems IS NOT NULL AND {_LIVING}"

Answer = TypeVar("Answer")


class StuckScanActivities:
    """Looks for stuck work."""

    def __init__(self, engine: Engine, client: Client, rulebooks: Rulebooks) -> None:
        self._engine = engine
        self._client = client
        self._rulebooks = rulebooks

    @activity.defn
    async def scan_for_stuck_work(self, order: ScanOrder) -> Scanned:
        """Note what is stuck and close what is over. Harmless when repeated, or run by two at once."""
        at = datetime.now(UTC)
        limits = await self._read(lambda reader: self._limits(reader, at))
        asked = dict(await self._read(lambda reader: stuck.unanswered(reader, limits, at, MOST)))
        blocked = set(await executions.listed(self._client, BLOCKED, MOST))
        failing = await executions.listed(self._client, TASK_FAILURES, MOST)
        retrying = await self._read(lambda reader: stuck.noted(reader, ["activity_retrying"], MOST))
        known = set(await self._read(lambda reader: stuck.noted(reader, ["blocked"], MOST)))
        looked_at = await self._described({*asked, *failing, *retrying})
        seen = [
            sighting
            for workflow_id, description in looked_at.items()
            for sighting in _sightings(workflow_id, description, asked.get(workflow_id), at)
        ]
        seen += [Sighting(workflow_id, "blocked", at) for workflow_id in blocked - known]

        def write(writer: Writer) -> Scanned:
            noted = stuck.note_from_records(writer, limits, at) + len(seen)
            stuck.note(writer, seen, at)
            stuck.see_again(writer, "blocked", blocked & known, at)
            for workflow_id, found in looked_at.items():
                stuck.clear_activities(writer, workflow_id, _pending(found), at)
            cleared = stuck.clear(writer, [*BY_RECORDS, *BY_LOOKING], at, at)
            # A note of the worker's own may be younger than what visibility shows.
            cleared += stuck.clear(writer, ["activity_retrying"], at - FORGOTTEN, at)
            cleared += stuck.clear(writer, ["blocked"], at - BLOCKS_SHOW, at)
            return Scanned(noted=noted, cleared=cleared)

        return await self._write(write)

    def _limits(self, reader: Reader, at: datetime) -> Limits:
        """By the rules in force; without any, work is stuck all the more, and the usual limits do."""
        try:
            procedure = self._rulebooks.in_force(reader, at).release.procedure("backup-creation")
        except Refusal:
            return Limits()
        return Limits(
            deposits_overdue=procedure.deposits_overdue_after,
            recheck_every=procedure.recheck_deposits_every,
        )

    async def _described(
        self, workflow_ids: Iterable[str]
    ) -> dict[str, DescribeWorkflowExecutionResponse | None]:
        """What Temporal says of each; None for one that runs no more."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def describe(workflow_id: str) -> DescribeWorkflowExecutionResponse | None:
            async with turns:
                found = await executions.describe(self._client, workflow_id)
            return found if found is not None and executions.lives(found) else None

        ids = sorted(workflow_ids)
        return dict(zip(ids, await asyncio.gather(*map(describe, ids)), strict=True))

    async def _read(self, what: Callable[[Reader], Answer]) -> Answer:
        def read() -> Answer:
            with reading(self._engine) as reader:
                return what(reader)

        return await asyncio.to_thread(read)

    async def _write(self, what: Callable[[Writer], Answer]) -> Answer:
        def write() -> Answer:
            with writing(self._engine) as writer:
                return what(writer)

        return await asyncio.to_thread(write)


def _pending(found: DescribeWorkflowExecutionResponse | None) -> list[str] | None:
    """Types of the activities that a running workflow waits for."""
    return None if found is None else [each.activity_type.name for each in found.pending_activities]


def _sightings(
    workflow_id: str,
    found: DescribeWorkflowExecutionResponse | None,
    asked_at: datetime | None,
    at: datetime,
) -> list[Sighting]:
    """What keeps a running workflow from going on; nothing of one that waits for its next event."""
    if found is None:
        return []
    seen = []
    task = found.pending_workflow_task
    if task.attempt >= FAILED_TASKS:
        since = task.original_scheduled_time.ToDatetime(UTC)
        seen.append(Sighting(workflow_id, "task_failures", since, attempt=task.attempt))
    for pending in found.pending_activities:
        if pending.attempt >= NOTED_FROM:
            failure = pending.last_failure.application_failure_info.type or "timeout"
            seen.append(
                Sighting(
                    workflow_id,
                    "activity_retrying",
                    at,
                    pending.activity_type.name,
                    attempt=pending.attempt,
                    failure=plain_type(failure),
                )
            )
    busy = found.HasField("pending_workflow_task") or len(found.pending_activities) > 0
    if asked_at is not None and busy:
        seen.append(Sighting(workflow_id, "unanswered", asked_at))
    return seen
