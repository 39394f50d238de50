"""What prior reports do in the database: one transaction, harmless when repeated."""

from datetime import UTC, datetime

from sqlalchemy import Engine
from temporalio import activity

from schemas.contracts.prior_reports import PriorReportOrder, PriorReportRecorded, RecordPriorReport
from schemas.errors import Refusal
from store import prior_reports
from store.database import Writer, writing
from store.eligibility import Eligibility, Question
from wire.refusals import failure


class PriorReportActivities:
    """Records that prior reports have used backups."""

    def __init__(self, engine: Engine, eligibility: Eligibility) -> None:
        self._engine = engine
        self._eligibility = eligibility

    @activity.defn
    def record_prior_report(self, order: PriorReportOrder) -> PriorReportRecorded:
        """Record a report whose account might use the backup when it did, even if it no longer may.

        Refuses ``not_eligible``, ``recorded_otherwise``, ``before_the_rules``.
        """
        try:
            with writing(self._engine) as writer:
                return self._record(writer, order.report, order.at)
        except Refusal as refusal:
            raise failure(refusal) from None

    def _record(self, writer: Writer, report: RecordPriorReport, at: datetime) -> PriorReportRecorded:
        prior_reports.lock(writer, report.backup_id)
        known = prior_reports.known(writer, report)
        if known is not None:
            return PriorReportRecorded(recorded_at=known.recorded_at)
        question = Question(report.account_id, report.number, report.used_at)
        if not self._eligibility.answer(writer, question).decision.eligible:
            raise Refusal("not_eligible")
        # it may have waited for a withdrawal, whose moment is then before this one
        recorded_at = max(at, datetime.now(UTC))
        prior_reports.record(writer, report, recorded_at)
        return PriorReportRecorded(recorded_at=recorded_at)
