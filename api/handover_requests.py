"""How a handover is asked for: store it, have its workflow do it, show how it stands then."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

from fastapi import Response
from sqlalchemy.dialects.postgresql import insert
from starlette.concurrency import run_in_threadpool
from temporalio.client import WithStartWorkflowOperation, WorkflowUpdateStage
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from api import delegation_views
from api.accounts import viewer
from api.auth import Identity
from api.changes import asked
from api.claim_requests import changed
from api.commands import RETRY_AFTER, TAKEN, carried_out
from api.platform import Platform
from schemas.contracts import delegation as contract
from schemas.delegation import Consent
from schemas.http import delegation as http
from schemas.stages import short
from schemas.tables.delegation import Handover
from schemas.texts import Language
from store import handovers
from store.database import reading
from store.operations import Asked
from wire import search_attributes
from wire.readable import Readable
from workflows.delegation import Handover as Workflow


async def begun(
    platform: Platform, who: Identity, change: Asked, row: Handover, spoken: Language, response: Response
) -> http.HandoverView:
    """Store the handover, have its workflow begun, and show how it stands then."""
    stored = insert(Handover).values(row.model_dump()).on_conflict_do_nothing()
    answer = await changed(
        platform,
        change,
        lambda: _begin(platform, row, change),
        response,
        lambda writer: writer.execute(stored),
        unfinished=_moving(platform, who, row.id),
    )
    response.headers["Location"] = f"/v1/handovers/{row.id}"
    return await _shown(platform, who, row.id, spoken, response, answer)


async def decided(
    platform: Platform,
    who: Identity,
    row: Handover,
    consent: Consent,
    agreed: bool,
    key: UUID,
    spoken: Language,
    response: Response,
) -> http.HandoverView:
    """Tell the workflow what somebody decides on a handover, and show how it stands then."""
    said = {"consent": consent, "agreed": agreed}
    change = asked(platform, who.account_id, row.id, "decide_handover", str(key), said)
    command = contract.ConsentCommand(
        handover_id=row.id,
        operation_id=change.id,
        account_id=who.account_id,
        consent=consent,
        agreed=agreed,
    )
    answer = await changed(
        platform, change, _asking(platform, row, command), response, unfinished=_moving(platform, who, row.id)
    )
    return await _shown(platform, who, row.id, spoken, response, answer)


async def _begin(platform: Platform, row: Handover, change: Asked) -> None:
    """Start the workflow of the old delegate with this handover; another that runs refuses it."""
    start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        Workflow.run,
        contract.OpenHandover(handover_id=row.id),
        id=contract.handover_workflow(row.from_id),
        task_queue=platform.task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        static_summary=Readable(f"移交 {short(row.id)} · 单位 {row.unit_code}"),
        search_attributes=search_attributes.at_start(stage="stored", unit=row.unit_code),
    )
    await carried_out(
        platform.temporal.start_update_with_start_workflow(
            Workflow.begin,
            contract.HandoverCommand(handover_id=row.id, operation_id=change.id),
            start_workflow_operation=start,
            wait_for_stage=WorkflowUpdateStage.ACCEPTED,
            id=str(uuid4()),
            rpc_timeout=TAKEN,
        ),
        over="handover_in_progress",
    )


def _asking(
    platform: Platform, row: Handover, command: contract.ConsentCommand
) -> Callable[[], Awaitable[None]]:
    handle = platform.temporal.get_workflow_handle(contract.handover_workflow(row.from_id))
    return lambda: carried_out(
        handle.start_update(
            Workflow.decide,
            command,
            wait_for_stage=WorkflowUpdateStage.ACCEPTED,
            id=str(uuid4()),
            rpc_timeout=TAKEN,
        ),
        over="handover_closed",
    )


async def _shown(
    platform: Platform,
    who: Identity,
    handover_id: UUID,
    spoken: Language,
    response: Response,
    answer: dict[str, Any] | None,
) -> http.HandoverView:
    if answer is None:
        response.status_code = 202
        response.headers["Location"] = f"/v1/handovers/{handover_id}"
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return await run_in_threadpool(view, platform, who, handover_id, spoken)


def view(platform: Platform, who: Identity, handover_id: UUID, spoken: Language) -> http.HandoverView:
    """A handover that the caller may see."""
    with reading(platform.engine) as reader:
        row = handovers.handover(reader, viewer(who), handover_id)
        return delegation_views.handover(reader, row, spoken)


def _moving(platform: Platform, who: Identity, handover_id: UUID) -> Callable[[], bool]:
    return lambda: found(platform, who, handover_id).state == "moving"


def found(platform: Platform, who: Identity, handover_id: UUID) -> Handover:
    """The row of a handover that the caller may see.

    Raises:
        Refusal: ``not_found``.
    """
    with reading(platform.engine) as reader:
        return handovers.handover(reader, viewer(who), handover_id)
