"""Failing attempts made visible: what every activity of a worker goes through, local ones too.

By construction no activity retries unseen. The first attempts, which are nearly all there are, cost nothing:
nothing is written before attempt `NOTED_FROM`.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from schemas.stuck import NOTED_FROM, plain_type
from store import stuck
from store.database import Writer, writing
from store.stuck import Sighting

log = structlog.get_logger()


class Attempts(Interceptor):
    """Gives the worker's activities their watcher."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Put the watcher before the activity."""
        return _Watcher(next, self._engine)


class _Watcher(ActivityInboundInterceptor):
    """Notes an activity that keeps failing, and clears the note when it succeeds."""

    def __init__(self, next: ActivityInboundInterceptor, engine: Engine) -> None:  # noqa: A002
        super().__init__(next)
        self._engine = engine

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        """Run one attempt."""
        attempt = activity.info().attempt
        try:
            answer = await self.next.execute_activity(input)
        except Exception as error:
            if attempt >= NOTED_FROM and not _is_answer(error):
                await self._write(_noting(error))
            elif attempt > NOTED_FROM:
                await self._write(_clearing())
            raise
        if attempt > NOTED_FROM:
            await self._write(_clearing())
        return answer

    async def _write(self, change: Callable[[Writer], None]) -> None:
        """Write it down, or leave it: a database that is away must not make an attempt worse than it is."""

        def write() -> None:
            with writing(self._engine) as writer:
                change(writer)

        try:
            await asyncio.to_thread(write)
        except SQLAlchemyError as error:
            log.warning("stuck work not noted", error=type(error).__name__)


def _is_answer(error: Exception) -> bool:
    """A refusal ends the activity: the workflow deals with it, and nothing is tried again."""
    return isinstance(error, ApplicationError) and error.non_retryable


def _noting(error: Exception) -> Callable[[Writer], None]:
    info, now = activity.info(), datetime.now(UTC)
    named = error.type if isinstance(error, ApplicationError) and error.type else type(error).__name__
    sighting = Sighting(
        workflow_id=info.workflow_id or "",
        cause="activity_retrying",
        since=min(info.scheduled_time, now),
        activity=info.activity_type,
        local=info.is_local,
        attempt=info.attempt,
        failure=plain_type(named),
    )
    return lambda writer: stuck.note(writer, [sighting], now)


def _clearing() -> Callable[[Writer], None]:
    info, now = activity.info(), datetime.now(UTC)
    workflow_id, name = info.workflow_id or "", info.activity_type
    return lambda writer: stuck.clear_workflow(writer, workflow_id, now, "activity_retrying", name)
