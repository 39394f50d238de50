"""A prior report used a backup: told by the HGR service system, recorded by a workflow."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool

from api.auth import Identity, IdentityDep
from api.bodies import StrictRoute
from api.commands import RETRY_AFTER, StillRunningError, run_to_its_end
from api.platform import Platform, PlatformDep
from schemas.contracts.prior_reports import PriorReportRecorded, RecordPriorReport
from schemas.errors import Refusal
from schemas.http import eligibility as http
from schemas.texts import Text
from store.database import reading
from store.eligibility import Question, require_answerable
from store.prior_reports import backup_of
from workflows.prior_report import PriorReport

router = APIRouter(tags=["prior report"], route_class=StrictRoute)

SCOPE = "prior-reports"


async def service(who: IdentityDep) -> Identity:
    """Dependency: a system that may tell of prior reports (scope ``prior-reports``).

    Raises:
        Refusal: ``not_allowed``.
    """
    if SCOPE not in who.scopes:
        raise Refusal("not_allowed")
    return who


@router.post(
    "/v1/prior-reports",
    status_code=201,
    operation_id="recordPriorReport",
    summary="登记事先报告 / Record a prior report",
)
async def record_prior_report(
    body: http.NewPriorReport, who: Annotated[Identity, Depends(service)], platform: PlatformDep
) -> http.PriorReportView:
    """Record that a report used a backup. Report and backup are its key: told again, it is what it was."""
    question = Question(body.account, body.backup_number, body.used_at.astimezone(UTC))
    require_answerable(question, datetime.now(UTC), "/used_at")
    report = await run_in_threadpool(_report, platform, who, body.report_id, question)
    try:
        recorded = await _recorded(platform, report)
    except Refusal as refusal:
        if refusal.error.code != "not_eligible":
            raise
        raise await run_in_threadpool(_reasons, platform, question) from None
    return http.PriorReportView(**body.model_dump(), recorded_at=recorded.recorded_at)


def _report(platform: Platform, who: Identity, report_id: str, question: Question) -> RecordPriorReport:
    with reading(platform.engine) as reader:
        backup_id = backup_of(reader, question.number)
    return RecordPriorReport(
        report_id=report_id,
        backup_id=backup_id,
        number=question.number,
        account_id=question.account_id,
        used_at=question.as_of,
        reported_by=who.account_id,
    )


async def _recorded(platform: Platform, report: RecordPriorReport) -> PriorReportRecorded:
    """What the workflow says.

    Raises:
        Refusal: What it refused; ``waiting_for_platform``, when it could not be asked or takes longer: told
            again, the report is recorded once.
    """
    try:
        recorded: PriorReportRecorded = await run_to_its_end(
            platform.temporal,
            platform.task_queue,
            PriorReport.run,
            report,
            report.workflow_id,
            f"登记事先报告 · 备份 {report.number}",
            report.number,
        )
    except StillRunningError:
        raise Refusal("waiting_for_platform", retry_after=RETRY_AFTER) from None
    return recorded


def _reasons(platform: Platform, question: Question) -> Refusal:
    """The refusal with what stood against the use."""
    with reading(platform.engine) as reader:
        decision = platform.eligibility.answer(reader, question).decision
    against = [reason.rule.message for reason in decision.reasons if reason.rule.severity == "error"]
    zh, en = "".join(text.zh for text in against), " ".join(text.en for text in against)
    return Refusal("not_eligible", Text(zh, en))
