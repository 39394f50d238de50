"""Tree head (树头): the audit trail, as it is now, is signed, so that nobody can rewrite it afterwards.

Hourly by a schedule; also when a certificate needs a head over an event that none covers yet.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.audit import AuditActivities
    from schemas.contracts.audit import SignTreeHead, TreeHeadSigned
    from wire.readable import Readable

WORKFLOW_ID = "tree-head"
"""One at a time."""
SIGNING = timedelta(minutes=10)
"""For a million events that were never sealed; usually it takes milliseconds."""
PATIENT = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=30))


@workflow.defn(name="TreeHead")
class TreeHead:
    """One run per head."""

    @workflow.run
    async def run(self, order: SignTreeHead) -> TreeHeadSigned:
        """Seal and sign."""
        return await workflow.execute_activity_method(
            AuditActivities.sign_tree_head,
            order,
            start_to_close_timeout=SIGNING,
            retry_policy=PATIENT,
            summary=Readable("封存审计事件并签署树头"),
        )
