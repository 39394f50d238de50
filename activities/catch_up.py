"""Catching up (补办): what open drafts should have done by now, done for them.

A draft's own timers remind and look up. They fail it only where its workflow is gone or does not go on, as
after Temporal's database was restored from a backup: nobody is to miss a reminder for that.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine
from temporalio import activity
from temporalio.client import Client, WorkflowUpdateRPCTimeoutOrCancelledError, WorkflowUpdateStage
from temporalio.service import RPCError

from activities.backups import BackupActivities
from rules.engine.procedures import BackupCreationProcedure
from schemas.contracts.backups import CheckDeposits, SendReminder
from schemas.contracts.operations import CatchUp, CaughtUp
from store import overdue
from store.database import reading
from store.overdue import Unreminded
from store.releases import Rulebooks

TAKEN = timedelta(seconds=5)
"""For a workflow to take an update."""


class CatchUpActivities:
    """Reminds, and asks for look-ups."""

    def __init__(
        self, engine: Engine, client: Client, rulebooks: Rulebooks, backups: BackupActivities
    ) -> None:
        self._engine = engine
        self._client = client
        self._rulebooks = rulebooks
        self._backups = backups

    @activity.defn
    async def catch_up(self, order: CatchUp) -> CaughtUp:
        """Do what is overdue, a batch of each; harmless when repeated."""
        at = datetime.now(UTC)
        procedure, unreminded, unlooked = await asyncio.to_thread(self._overdue, at, order.grace)
        reminded = await asyncio.to_thread(self._remind, procedure, unreminded, at, order.grace)
        taken = [await self._look_up(backup_id, at) for backup_id in unlooked]
        return CaughtUp(reminded=reminded, rechecked=sum(taken), unreachable=len(taken) - sum(taken))

    def _overdue(
        self, at: datetime, grace: timedelta
    ) -> tuple[BackupCreationProcedure, list[Unreminded], list[UUID]]:
        before = at - grace
        with reading(self._engine) as reader:
            procedure = self._rulebooks.in_force(reader, at).release.procedure("backup-creation")
            latest = [before - (due - before) for due in procedure.remind_at(before)]
            unlooked = overdue.unlooked(reader, procedure.recheck_deposits_every, before)
            return procedure, overdue.unreminded(reader, latest), unlooked

    def _remind(
        self,
        procedure: BackupCreationProcedure,
        unreminded: list[Unreminded],
        at: datetime,
        grace: timedelta,
    ) -> int:
        due = [
            SendReminder(backup_id=draft.backup_id, due_at=due_at, expires_at=draft.expires_at, at=at)
            for draft in unreminded
            for due_at in procedure.remind_at(draft.saved_at)
            if due_at <= at - grace
        ]
        for reminder in due:
            activity.heartbeat()
            self._backups.send_reminder(reminder)  # with the id that the draft's own one has
        return len(unreminded)

    async def _look_up(self, backup_id: UUID, at: datetime) -> bool:
        """Ask a draft's workflow, once a day, to look its deposits up; whether it has taken that up."""
        activity.heartbeat()
        handle = self._client.get_workflow_handle(f"backup-{backup_id}")
        try:
            await handle.start_update(
                "check_deposits",
                CheckDeposits(),
                id=f"catch-up {at.date()}",
                wait_for_stage=WorkflowUpdateStage.ACCEPTED,
                rpc_timeout=TAKEN,
            )
        except (RPCError, WorkflowUpdateRPCTimeoutOrCancelledError):
            return False
        return True
