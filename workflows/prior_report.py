"""Prior report (事先报告): the HGR service system tells that a report used a backup, and it is recorded.

The procedure, notice section 三:

1. The system names its report, the backup number, the account and when the report used the backup.
2. The account must have been allowed to use it at that instant, whatever has happened since.
3. It is recorded once for each report and backup, however often it is told. From then on a
   unit's claim that gave it to the account is not undone.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.prior_reports import PriorReportActivities
    from schemas.contracts.prior_reports import PriorReportOrder, PriorReportRecorded, RecordPriorReport
    from workflows.transaction import transact


@workflow.defn(name="PriorReport")
class PriorReport:
    """One run per report and backup; see the module for the procedure."""

    @workflow.run
    async def run(self, report: RecordPriorReport) -> PriorReportRecorded:
        """Record it."""
        return await transact(
            PriorReportActivities.record_prior_report,
            PriorReportOrder(report=report, at=workflow.now()),
            "登记事先报告",
        )
