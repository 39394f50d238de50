"""Stuck scan (滞留扫描): every half minute a schedule looks for work that does not go on.

1. Our own records are asked for deadlines that have passed, deposits overdue, messages not delivered, and
   requests without an answer.
2. Temporal is asked for blocked workflows, for failing workflow tasks and for what such requests wait for.
3. What is stuck is noted with its cause; what is over is closed.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.stuck_scan import StuckScanActivities
    from schemas.contracts.stuck import Scanned, ScanOrder
    from wire.readable import Readable

SCANNING = timedelta(minutes=1)
ONCE = RetryPolicy(maximum_attempts=1)
"""The schedule's next run is soon enough."""


@workflow.defn(name="StuckScan")
class StuckScan:
    """One scan; see the module."""

    @workflow.run
    async def run(self, order: ScanOrder) -> Scanned:
        """Scan."""
        return await workflow.execute_activity_method(
            StuckScanActivities.scan_for_stuck_work,
            order,
            start_to_close_timeout=SCANNING,
            retry_policy=ONCE,
            summary=Readable("查找滞留事项"),
        )
