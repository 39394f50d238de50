"""Sweep (清理): every night a schedule clears away what nobody will come back for.

1. Requests without an answer whose workflow runs no more are refused.
2. Forms and file lists that refused requests brought, and claims that never got under way, are deleted,
   some days after the refusal.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.sweep import SweepActivities
    from schemas.contracts.operations import SweepOrder, Swept
    from wire.readable import Readable

SWEEPING = timedelta(hours=6)
HEARTBEAT = timedelta(minutes=10)
"""One list of a million rows is deleted in one transaction."""
PATIENT = RetryPolicy(initial_interval=timedelta(seconds=10), maximum_interval=timedelta(minutes=10))


@workflow.defn(name="Sweep")
class Sweep:
    """One sweep; see the module."""

    @workflow.run
    async def run(self, order: SweepOrder) -> Swept:
        """Sweep, for as long as it takes."""
        return await workflow.execute_activity_method(
            SweepActivities.clear_away,
            order,
            start_to_close_timeout=SWEEPING,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=PATIENT,
            summary=Readable("清理无人认领的内容"),
        )
