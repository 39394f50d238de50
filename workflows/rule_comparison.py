"""Rule comparison (规则比较): what another release would decide otherwise, carried out whatever crashes.

1. The API notes what is asked: two releases (diff), or one against what was submitted (impact).
2. One activity compares, tells how far it has come, and goes on there when it is tried again.
3. It writes the result, or why there is none, and the operation is finished.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.rulebooks import RulebookActivities
    from schemas.contracts.rulebooks import CompareRules
    from wire.readable import Readable

COMPARING = timedelta(days=1)
"""For every backup there is; longer, and it is tried again from where it was."""
HEARTBEAT = timedelta(minutes=1)
PATIENT = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))


@workflow.defn(name="RuleComparison")
class RuleComparison:
    """One run per comparison."""

    @workflow.run
    async def run(self, order: CompareRules) -> None:
        """Compare, for as long as it takes."""
        await workflow.execute_activity_method(
            RulebookActivities.compare_rules,
            order,
            start_to_close_timeout=COMPARING,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=PATIENT,
            summary=Readable("比较规则版本"),
        )
