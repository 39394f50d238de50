"""The sweep (清理): closes requests nobody repeats, and deletes what refused requests brought."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Engine
from temporalio import activity
from temporalio.client import Client

from schemas.contracts.operations import SweepOrder, Swept
from store import sweep
from store.database import Writer, reading, writing
from store.sweep import Unanswered
from wire import executions

Answer = TypeVar("Answer")


class SweepActivities:
    """Clears away."""

    def __init__(self, engine: Engine, client: Client) -> None:
        self._engine = engine
        self._client = client

    @activity.defn
    async def clear_away(self, order: SweepOrder) -> Swept:
        """Sweep, in short transactions; repeated, it goes on where it was. Heartbeats after each."""
        at = datetime.now(UTC)
        lapsed = await self._lapse(at - order.lapses_after, at)
        before = at - order.kept_for
        return Swept(
            lapsed=lapsed,
            forms=await self._until_none(lambda writer: sweep.delete_forms(writer, before)),
            lists=await self._until_none(lambda writer: int(sweep.delete_list(writer, before))),
            claims=await self._until_none(lambda writer: sweep.delete_claims(writer, before)),
        )

    async def _lapse(self, before: datetime, at: datetime) -> int:
        lapsed, after = 0, UUID(int=0)
        while batch := await asyncio.to_thread(self._unanswered, before, after):
            over = [each.id for each in batch if not await self._may_go_on(each)]
            lapsed += await self._write(lambda writer, ids=over: sweep.lapse(writer, ids, at))  # type: ignore[misc]
            after = batch[-1].id
        return lapsed

    async def _may_go_on(self, asked: Unanswered) -> bool:
        """Whether a workflow runs that may yet carry the request out."""
        activity.heartbeat()
        found = await executions.describe(self._client, asked.workflow_id)
        return found is not None and executions.lives(found)

    def _unanswered(self, before: datetime, after: UUID) -> list[Unanswered]:
        with reading(self._engine) as reader:
            return sweep.unanswered(reader, before, after)

    async def _until_none(self, delete: Callable[[Writer], int]) -> int:
        total = 0
        while count := await self._write(delete):
            total += count
        return total

    async def _write(self, work: Callable[[Writer], Answer]) -> Answer:
        def transaction() -> Answer:
            with writing(self._engine) as writer:
                return work(writer)

        activity.heartbeat()
        return await asyncio.to_thread(transaction)
