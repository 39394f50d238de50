"""Catching up (补办): every day a schedule does for open drafts what their own timers should have done.

Reminders that are missing are left, and drafts whose look-up of deposits is overdue are asked for it.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.catch_up import CatchUpActivities
    from schemas.contracts.operations import CatchUp, CaughtUp
    from wire.readable import Readable

CATCHING_UP = timedelta(hours=3)
HEARTBEAT = timedelta(minutes=2)
PATIENT = RetryPolicy(initial_interval=timedelta(seconds=10), maximum_interval=timedelta(minutes=10))


@workflow.defn(name="CatchingUp")
class CatchingUp:
    """One round; see the module."""

    @workflow.run
    async def run(self, order: CatchUp) -> CaughtUp:
        """Catch up."""
        return await workflow.execute_activity_method(
            CatchUpActivities.catch_up,
            order,
            start_to_close_timeout=CATCHING_UP,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=PATIENT,
            summary=Readable("补发提醒、补查递交"),
        )
