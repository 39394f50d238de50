"""Commands: what is asked of workflows, and how long the API waits for them."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from temporalio.api.errordetails.v1 import WorkflowNotReadyFailure
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateStage,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from schemas.contracts.backups import Message, OpenBackup
from schemas.errors import Refusal
from schemas.stages import short
from wire import search_attributes
from wire.readable import Readable
from wire.refusals import refusal_in
from workflows.backup_creation import BackupCreation

TAKEN = timedelta(seconds=5)
"""A worker takes an update within milliseconds. After this there is none, or its first transaction hangs:
then as well the same request, repeated, finds the answer."""
DONE = timedelta(seconds=10)
"""After this the caller gets the operation to ask about, and the work goes on."""
RETRY_AFTER = 5

Answer = TypeVar("Answer")
_NOT_READY = WorkflowNotReadyFailure.DESCRIPTOR.full_name.encode()
"""Detail of an error: the code that runs cannot take the workflow further; it is open all the same."""
ALREADY_OVER = (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION)


class StillRunningError(Exception):
    """The update was accepted and is not done yet."""


def workflow_id(backup_id: UUID) -> str:
    """Id of the workflow of one backup."""
    return f"backup-{backup_id}"


async def open_backup(
    client: Client, task_queue: str, opening: OpenBackup, change: Any, first: Message, update_id: str
) -> None:
    """Start a backup's workflow with its first change.

    Args:
        client: Connected to Temporal.
        task_queue: Of the workers.
        opening: The workflow's input.
        change: The update of `BackupCreation` that opens it.
        first: Its message.
        update_id: The same for a repetition of the same request.

    Raises:
        Refusal: What the workflow refused, or ``waiting_for_platform``.
        StillRunningError: Accepted, not done yet.
    """
    start = WithStartWorkflowOperation(
        BackupCreation.run,
        opening,
        id=workflow_id(opening.backup_id),
        task_queue=task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        static_summary=_summary(opening),
        search_attributes=search_attributes.at_start(
            stage="draft", unit=opening.unit_code, release=opening.release, deadline=opening.due_at
        ),
    )
    await carried_out(
        client.start_update_with_start_workflow(
            change,
            first,
            start_workflow_operation=start,
            wait_for_stage=WorkflowUpdateStage.ACCEPTED,
            id=update_id,
            rpc_timeout=TAKEN,
        )
    )


def _summary(opening: OpenBackup) -> Readable:
    release = f" · 规则 {opening.release}" if opening.release else ""
    return Readable(f"备份 {short(opening.backup_id)} · 单位 {opening.unit_code}{release}")


async def update(client: Client, backup_id: UUID, change: Any, argument: Any, update_id: str) -> None:
    """Ask an open backup's workflow for one change.

    Args:
        client: Connected to Temporal.
        backup_id: The backup.
        change: One of the updates of `BackupCreation`.
        argument: Its message.
        update_id: The same for a repetition of the same request.

    Raises:
        Refusal: What the workflow refused, ``backup_closed``, or ``waiting_for_platform``.
        StillRunningError: Accepted, not done yet.
    """
    handle = client.get_workflow_handle(workflow_id(backup_id))
    await carried_out(
        handle.start_update(
            change, argument, wait_for_stage=WorkflowUpdateStage.ACCEPTED, id=update_id, rpc_timeout=TAKEN
        )
    )


async def carried_out(asking: Awaitable[WorkflowUpdateHandle[Any]], over: str = "backup_closed") -> None:
    """Wait until a workflow has taken an update, and then until it has done it.

    Args:
        asking: Sends the update.
        over: Code of the refusal when there is no such workflow any more.

    Raises:
        Refusal: What the workflow refused, ``over``, or ``waiting_for_platform``.
        StillRunningError: Accepted, not done yet.
    """
    try:
        handle = await asking
    except WorkflowAlreadyStartedError:
        raise Refusal(over) from None
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise Refusal("waiting_for_platform", retry_after=RETRY_AFTER) from None
    except RPCError as error:
        raise _rpc_refusal(error, over) from None
    try:
        await handle.result(rpc_timeout=DONE)
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise StillRunningError from None
    except RPCError as error:
        raise _rpc_refusal(error, over) from None


async def run_to_its_end(
    client: Client,
    task_queue: str,
    procedure: Any,
    asked: Message,
    id_: str,
    summary: str,
    number: str | None = None,
) -> Any:
    """Run a workflow that answers one request, and wait for what it says.

    Args:
        client: Connected to Temporal.
        task_queue: Of the workers.
        procedure: The workflow's ``run``.
        asked: Its message.
        id_: The same for a repetition of the same request.
        summary: Shown to operators; Chinese, no person.
        number: Of the backup it is about, where it is known.

    Raises:
        Refusal: What the workflow refused, or ``waiting_for_platform``.
        StillRunningError: Accepted, not done yet.
    """
    try:
        handle = await client.start_workflow(
            procedure,
            asked,
            id=id_,
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=Readable(summary),
            search_attributes=search_attributes.at_start(number=number),
            rpc_timeout=TAKEN,
        )
        return await asyncio.wait_for(handle.result(), DONE.total_seconds())
    except WorkflowFailureError as error:
        raise refusal_in(error) or error from None
    except TimeoutError:
        raise StillRunningError from None
    except RPCError:
        raise Refusal("waiting_for_platform", retry_after=RETRY_AFTER) from None


def _refusal(error: WorkflowUpdateFailedError) -> Exception:
    return refusal_in(error) or error


def _rpc_refusal(error: RPCError, over: str) -> Refusal:
    if error.status == RPCStatusCode.FAILED_PRECONDITION and "paused" in error.message:
        return Refusal("case_paused", retry_after=RETRY_AFTER)
    if error.status in ALREADY_OVER and _NOT_READY not in error.raw_grpc_status:
        return Refusal(over)
    return Refusal("waiting_for_platform", retry_after=RETRY_AFTER)
