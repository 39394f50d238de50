"""Attribution (归入): at the first sign-in, legacy backups of the very same person move into the account.

The procedure, notice section 二 (备份信息认领功能):

1. An account signs in for the first time with a name, a phone and a unit that authorises it. The sign-in
   does not wait for what follows.
2. Of the legacy registrants, those are taken whose name, phone and unit all equal the account's, in the
   spelling that ``rules/procedures/claiming.yaml`` compares.
3. All their numbered backups that nobody holds move, in one transaction; drafts never do.
4. The account gets a notice of what moved. Whatever else there may be is claimed: the notice says so to
   everybody alike, and tells nothing of what exists.

Once for each account, for ever: the ledger in the database knows, long after Temporal has forgotten.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.attribution import AttributionActivities
    from schemas.contracts.attribution import Attribute, Attributed, AttributionOrder, attribution_id
    from wire.readable import Readable

MOVE = timedelta(minutes=5)
"""One database transaction, whatever moves; a longer one is dead, and tried again for as long as it takes."""
PATIENT = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=30))


@workflow.defn(name="Attribution")
class Attribution:
    """One run per account; see the module for the procedure."""

    @workflow.run
    async def run(self, asked: Attribute) -> Attributed:
        """Move what is the account's."""
        order = AttributionOrder(
            account_id=asked.account_id, operation_id=attribution_id(asked.account_id), at=workflow.now()
        )
        return await workflow.execute_activity_method(
            AttributionActivities.attribute,
            order,
            start_to_close_timeout=MOVE,
            retry_policy=PATIENT,
            summary=Readable("归入原备份"),
        )
