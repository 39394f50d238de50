"""Prior report (事先报告): the HGR service system tells that a report used a backup, and it is recorded.

The procedure, notice section 三:

1. The system names its report, the backup number, the account and when the report used the backup.
2. The account must have been allowed to use it at that instant, whatever has happened since.
3. It is recorded once for each report and backup, however often it is told. From then on a
   unit's claim that gave it to the account is not undone.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.prior_reports import PriorReportActivities
    from schemas.contracts.prior_reports import PriorReportOrder, PriorReportRecorded, RecordPriorReport

TRANSACTION = timedelta(seconds=20)
"""One database transaction; a longer one is dead, and tried again for as long as it takes."""
PATIENT = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=30))


@workflow.defn(name="PriorReport")
class PriorReport:
    """One run per report and backup; see the module for the procedure."""

    @workflow.run
    async def run(self, report: RecordPriorReport) -> PriorReportRecorded:
        """Record it."""
        return await workflow.execute_local_activity_method(
            PriorReportActivities.record_prior_report,
            PriorReportOrder(report=report, at=workflow.now()),
            start_to_close_timeout=TRANSACTION,
            retry_policy=PATIENT,
        )
