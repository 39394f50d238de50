"""A prior report used a backup: told by the HGR service system, recorded by a workflow."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from temporalio.client import WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError

from api.auth import Identity, IdentityDep
from api.bodies import StrictRoute
from api.commands import DONE, RETRY_AFTER, TAKEN
from api.platform import Platform, PlatformDep
from schemas.contracts.prior_reports import PriorReportRecorded, RecordPriorReport
from schemas.errors import Refusal
from schemas.http import eligibility as http
from schemas.texts import Text
from store.database import reading
from store.eligibility import Question, require_answerable
from store.prior_reports import backup_of
from wire.refusals import refusal_in
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
    """What the workflow says, within the time that is waited for a change.

    Raises:
        Refusal: What it refused; ``waiting_for_platform``, when it could not be asked or takes longer: told
            again, the report is recorded once.
    """
    try:
        handle = await platform.temporal.start_workflow(
            PriorReport.run,
            report,
            id=report.workflow_id,
            task_queue=platform.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary="事先报告登记",
            rpc_timeout=TAKEN,
        )
        return await asyncio.wait_for(handle.result(), DONE.total_seconds())
    except WorkflowFailureError as error:
        raise refusal_in(error) or error from None
    except (RPCError, TimeoutError):
        raise Refusal("waiting_for_platform", retry_after=RETRY_AFTER) from None


def _reasons(platform: Platform, question: Question) -> Refusal:
    """The refusal with what stood against the use."""
    with reading(platform.engine) as reader:
        decision = platform.eligibility.answer(reader, question).decision
    against = [reason.rule.message for reason in decision.reasons if reason.rule.severity == "error"]
    zh, en = "".join(text.zh for text in against), " ".join(text.en for text in against)
    return Refusal("not_eligible", Text(zh, en))
