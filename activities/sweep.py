"""The sweep (清理): closes requests nobody repeats, and deletes what refused requests brought."""

import asyncio
import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Engine
from temporalio import activity
from temporalio.client import Client

from schemas.contracts.operations import SweepOrder, Swept
from store import sweep
from store.database import Reader, Writer, reading, writing
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
            lists=await self._delete_lists(before),
            claims=await self._until_none(lambda writer: sweep.delete_claims(writer, before)),
        )

    async def _lapse(self, before: datetime, at: datetime) -> int:
        lapsed, after = 0, UUID(int=0)
        while batch := await self._read(functools.partial(sweep.unanswered, before=before, after=after)):
            over = [each.id for each in batch if not await self._may_go_on(each)]
            lapsed += await self._write(functools.partial(sweep.lapse, ids=over, at=at))
            after = batch[-1].id
        return lapsed

    async def _may_go_on(self, asked: Unanswered) -> bool:
        """Whether a workflow runs that may yet carry the request out."""
        activity.heartbeat()
        found = await executions.describe(self._client, asked.workflow_id)
        return found is not None and executions.lives(found)

    async def _delete_lists(self, before: datetime) -> int:
        total = 0
        while ids := await self._read(lambda reader: sweep.refused_lists(reader, before)):
            for id_ in ids:
                await self._write(functools.partial(sweep.delete_list, id_=id_))
            total += len(ids)
        return total

    async def _until_none(self, delete: Callable[[Writer], int]) -> int:
        total = 0
        while count := await self._write(delete):
            total += count
        return total

    async def _read(self, what: Callable[[Reader], Answer]) -> Answer:
        def snapshot() -> Answer:
            with reading(self._engine) as reader:
                return what(reader)

        return await asyncio.to_thread(snapshot)

    async def _write(self, work: Callable[[Writer], Answer]) -> Answer:
        def transaction() -> Answer:
            with writing(self._engine) as writer:
                return work(writer)

        activity.heartbeat()
        return await asyncio.to_thread(transaction)
