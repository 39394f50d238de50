"""Attribution as a sign-in sees it: asked for beside the answer, never in its way."""

from uuid import UUID

import structlog
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from api.commands import TAKEN
from schemas.contracts.attribution import Attribute, attribution_id
from schemas.http.accounts import AttributionView
from schemas.stages import short
from schemas.tables.accounts import Account
from schemas.tables.backups import Operation
from schemas.texts import Text
from store.database import Reader
from wire import search_attributes
from wire.readable import Readable
from workflows.attribution import Attribution

log = structlog.get_logger()

CLAIM_HINT = Text(
    "原系统的备份若以其他姓名、手机号或单位登记，请凭原姓名和原手机号认领；草稿没有备份编号，不能归入或认领。",
    "Backups that the old platform registered under another name, phone or unit can be claimed with that "
    "name and phone. Drafts have no backup number and can neither be attributed nor claimed.",
)
"""The same for everybody: it tells nothing of what exists."""


def attribution(reader: Reader, account_id: UUID, hint: str) -> AttributionView:
    """Where the attribution of an account stands."""
    done = reader.get(Operation, attribution_id(account_id))
    if done is not None and done.outcome is not None:
        return AttributionView(state="done", claim_hint=hint, **done.outcome)
    account = reader.get(Account, account_id)
    ready = account is not None and account.person_index is not None and account.unit_authorised
    return AttributionView(state="pending" if ready else "not_possible", claim_hint=hint)


async def begin(client: Client, task_queue: str, account_id: UUID) -> None:
    """Start the attribution of an account; where Temporal is away, the next sign-in does."""
    try:
        await client.start_workflow(
            Attribution.run,
            Attribute(account_id=account_id),
            id=f"attribution-{account_id}",
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=Readable(f"归入原备份 · 账号 {short(account_id)}"),
            search_attributes=search_attributes.at_start(),
            rpc_timeout=TAKEN,
        )
    except WorkflowAlreadyStartedError:
        return
    except RPCError as error:
        log.warning("attribution.not_started", status=error.status.name)
