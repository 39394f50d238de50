"""What operators do with a case, straight at Temporal's service: the workers may be the thing that hangs."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, TypeVar
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionResponse,
    PauseWorkflowExecutionRequest,
    ResetActivityRequest,
    ResetWorkflowExecutionRequest,
    UnpauseWorkflowExecutionRequest,
)
from temporalio.client import Client, WorkflowUpdateStage
from temporalio.service import RPCError, RPCStatusCode

from api import changes
from api.auth import Identity
from api.changes import Outcome, asked
from api.commands import RETRY_AFTER, TAKEN, StillRunningError, carried_out
from api.platform import Platform
from schemas.contracts.backups import CheckDeposits
from schemas.contracts.stuck import ResolveBlock
from schemas.errors import Refusal
from schemas.http.ops import NewOperatorAction
from schemas.stuck import DANGEROUS, Action, BlockAction, may_be_personal
from schemas.tables.backups import Backup
from schemas.texts import Text
from store import audit, cases, operator_actions
from store.cases import Case
from store.database import Writer, reading, writing
from store.notices import leave
from store.operator_actions import Intent
from store.submissions import awaiting
from wire import executions

Described = DescribeWorkflowExecutionResponse | None
Answer = TypeVar("Answer")
BEFORE_IT_BEGAN = frozenset({
    "case_acted_on", "confirmation_missing", "idempotency_key_reused", "invalid_field", "not_found",
    "reason_not_allowed",
})  # fmt: skip
"""Refusals of which the ledger keeps no row: they are written into the trail here."""
NEAREST = 3


class _Order(NamedTuple):
    """One action under way."""

    platform: Platform
    case: Case
    operation_id: UUID
    body: NewOperatorAction

    @property
    def client(self) -> Client:
        return self.platform.temporal

    @property
    def execution(self) -> WorkflowExecution:
        return WorkflowExecution(workflow_id=self.case.workflow_id)


def found(platform: Platform, who: Identity, case_id: UUID, body: NewOperatorAction) -> Case:
    """The case that is to be acted on.

    Raises:
        Refusal: ``not_found``, which is written into the trail.
    """
    with reading(platform.engine) as reader:
        case = cases.find(reader, case_id)
    if case is not None:
        return case
    with writing(platform.engine) as writer:
        audit.record(
            writer.connection(),
            act=f"operator_refused_{body.action}",
            actor_kind="operator",
            actor_id=who.account_id,
            case_id=case_id,
            facts={"code": "not_found"},
        )
    raise Refusal("not_found")


async def carry_out(
    platform: Platform, who: Identity, case: Case, body: NewOperatorAction, key: UUID, seen: int
) -> Outcome:
    """Carry one action out, at most once for one key; every refusal is in the trail.

    Raises:
        Refusal: What hinders it.
    """
    said = body.model_dump(mode="json")
    change = asked(platform, who.account_id, case.case_id, f"operator_{body.action}", str(key), said)
    intent = Intent(change.id, who.account_id, body.action, body.reason, body.reference, seen)
    order = _Order(platform, case, change.id, body)
    try:
        _check(body)
        return await changes.carry_out(
            platform,
            change,
            lambda writer: operator_actions.begin(writer, case, intent),
            lambda: _perform(order),
        )
    except Refusal as refusal:
        if refusal.error.code in BEFORE_IT_BEGAN:
            await run_in_threadpool(_refused, platform, case, intent, refusal)
        raise


def _check(body: NewOperatorAction) -> None:
    for pointer, said in (("/reason", body.reason), ("/reference", body.reference)):
        if said is not None and (may_be_personal(said) or not said.strip()):
            raise Refusal("reason_not_allowed", pointer=pointer)
    if body.action == "hand_to_support" and body.reference is None:
        raise Refusal("invalid_field", _MISSING["reference"], pointer="/reference")
    if body.action == "reset" and body.event_id is None:
        raise Refusal("invalid_field", _MISSING["event_id"], pointer="/event_id")
    if body.action in DANGEROUS and not body.confirmed:
        raise Refusal("confirmation_missing", pointer="/confirmed")


_MISSING = {
    "reference": Text("转技术支持须填写工单号。", "To hand it to support, name the ticket."),
    "event_id": Text("重置须写明事件编号。", "To reset it, name the event."),
}


def _refused(platform: Platform, case: Case, intent: Intent, refusal: Refusal) -> None:
    if refusal.error.code == "reason_not_allowed":
        intent = intent._replace(reason="", reference=None)
    with writing(platform.engine) as writer:
        operator_actions.refuse(writer, case, intent, refusal.error.code)


async def _perform(order: _Order) -> None:
    await _ACTS[order.body.action](order)
    await run_in_threadpool(_finish, order)


def _finish(order: _Order) -> None:
    with writing(order.platform.engine) as writer:
        if order.body.action == "return_to_applicant":
            _tell_applicant(writer, order)
        operator_actions.finish(writer, order.operation_id)


def _tell_applicant(writer: Writer, order: _Order) -> None:
    """A draft's delegate; of claims and handovers the workflow tells who asked for them."""
    backup = writer.get(Backup, order.case.case_id)
    if backup is not None and backup.delegate_id is not None:
        at = backup.saved_at
        leave(writer, [backup.delegate_id], "case_returned", order.operation_id, at)


# --- the actions ----------------------------------------------------------------------------------


async def _retry(order: _Order) -> None:
    """Resolve a block; or let failing activities be tried now; or look deposits up."""
    running = await _running(order)
    if executions.is_blocked(running):
        await _resolve(order, "retry")
        return
    failing = [each.activity_id for each in running.pending_activities if each.attempt > 1]
    for activity_id in failing:
        request = ResetActivityRequest(
            namespace=order.client.namespace, execution=order.execution, id=activity_id
        )
        await asking(order.client.workflow_service.reset_activity(request, timeout=TAKEN))
    if failing:
        return
    if not _awaits_deposits(order.case):
        raise Refusal("nothing_to_do")
    await _update(order, "check_deposits", CheckDeposits(), str(order.operation_id))


async def _skip(order: _Order) -> None:
    """Go on without what is refused; or take deposits for arrived, on the operator's word."""
    running = await _running(order)
    if executions.is_blocked(running):
        await _resolve(order, "skip")
        return
    if not _awaits_deposits(order.case):
        raise Refusal("nothing_to_do")
    for repository in await run_in_threadpool(_awaited, order):
        attested = CheckDeposits(attested=repository, source="operator")
        await _update(order, "check_deposits", attested, f"{order.operation_id} {repository}")


async def _return(order: _Order) -> None:
    """Close a blocked claim or handover; tell the delegate of a draft that it is up to them."""
    running = await _running(order)
    if executions.is_blocked(running):
        await _resolve(order, "return_to_applicant")
    elif not _awaits_deposits(order.case):
        raise Refusal("nothing_to_do")


async def _hand_to_support(order: _Order) -> None:
    """The row says it all."""


async def _take_back(order: _Order) -> None:
    """End what `_hand_to_support` began, where that is the latest word."""
    acts = await run_in_threadpool(_acts, order)
    handed = [each.action for each in acts if each.action in ("hand_to_support", "take_back")]
    if handed[1:2] != ["hand_to_support"]:  # the first is this very action
        raise Refusal("nothing_to_do")


async def _reset(order: _Order) -> None:
    """Replay the workflow up to the end of a workflow task and go on from there; later updates come again."""
    await _running(order)
    event_id = order.body.event_id or 0
    points = await asking(executions.reset_points(order.client, order.case.workflow_id))
    if event_id not in {point.event_id for point in points}:
        near = sorted(points, key=lambda point: abs(point.event_id - event_id))[:NEAREST]
        ids = "、".join(str(point.event_id) for point in sorted(near))
        nearest = Text(f"最近的可用事件：{ids}。", f"The nearest that will do: {ids.replace('、', ', ')}.")
        raise Refusal("wrong_reset_point", nearest, pointer="/event_id")
    request = ResetWorkflowExecutionRequest(
        namespace=order.client.namespace,
        workflow_execution=order.execution,
        reason=_where_why(order),
        workflow_task_finish_event_id=event_id,
        request_id=str(order.operation_id),
    )
    await asking(order.client.workflow_service.reset_workflow_execution(request, timeout=TAKEN))


async def _pause(order: _Order) -> None:
    if executions.is_paused(await _running(order)):
        raise Refusal("nothing_to_do")
    request = PauseWorkflowExecutionRequest(
        namespace=order.client.namespace,
        workflow_id=order.case.workflow_id,
        reason=_where_why(order),
        request_id=str(order.operation_id),
    )
    await asking(order.client.workflow_service.pause_workflow_execution(request, timeout=TAKEN))


async def _resume(order: _Order) -> None:
    if not executions.is_paused(await _running(order)):
        raise Refusal("nothing_to_do")
    request = UnpauseWorkflowExecutionRequest(
        namespace=order.client.namespace,
        workflow_id=order.case.workflow_id,
        reason=_where_why(order),
        request_id=str(order.operation_id),
    )
    await asking(order.client.workflow_service.unpause_workflow_execution(request, timeout=TAKEN))


_ACTS: Mapping[Action, Callable[[_Order], Awaitable[None]]] = {
    "retry": _retry,
    "skip": _skip,
    "return_to_applicant": _return,
    "hand_to_support": _hand_to_support,
    "take_back": _take_back,
    "reset": _reset,
    "pause": _pause,
    "resume": _resume,
}


# --- asking Temporal ------------------------------------------------------------------------------


async def asking(call: Awaitable[Answer]) -> Answer:
    """What the service answers.

    Raises:
        Refusal: ``case_not_running``, ``nothing_to_do`` or ``waiting_for_platform``.
    """
    try:
        return await call
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise Refusal("case_not_running") from None
        if error.status in (RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.INVALID_ARGUMENT):
            raise Refusal("nothing_to_do") from None
        raise Refusal("waiting_for_platform", retry_after=RETRY_AFTER) from None


async def _running(order: _Order) -> DescribeWorkflowExecutionResponse:
    described = await asking(executions.describe(order.client, order.case.workflow_id))
    if described is None or not executions.lives(described):
        raise Refusal("case_not_running")
    return described


async def _resolve(order: _Order, action: BlockAction) -> None:
    resolving = ResolveBlock(operation_id=order.operation_id, action=action)
    await _update(order, "resolve_block", resolving, str(order.operation_id))


async def _update(order: _Order, name: str, message: ResolveBlock | CheckDeposits, update_id: str) -> None:
    """Ask the workflow; one that takes long has taken it, and that is enough."""
    handle = order.client.get_workflow_handle(order.case.workflow_id)
    try:
        await carried_out(
            handle.start_update(
                name, message, wait_for_stage=WorkflowUpdateStage.ACCEPTED, id=update_id, rpc_timeout=TAKEN
            ),
            over="case_not_running",
        )
    except StillRunningError:
        return


def _awaits_deposits(case: Case) -> bool:
    return case.kind == "backup" and case.state == "waiting_for_deposit"


def _awaited(order: _Order) -> list[str]:
    with reading(order.platform.engine) as reader:
        return awaiting(reader, order.case.case_id)


def _acts(order: _Order) -> list[operator_actions.Act]:
    with reading(order.platform.engine) as reader:
        return operator_actions.of_case(reader, order.case.case_id)


def _where_why(order: _Order) -> str:
    """Temporal keeps reasons in the clear, where anybody can read them: it gets the action's id."""
    return f"hgrip {order.operation_id}"
