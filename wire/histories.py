"""Histories (事件历史) of workflows as Temporal keeps them: raw events, nothing decrypted."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from wire.executions import PATIENCE

MOST_RUNS = 5
"""The latest; what came before is told by our own records."""
MOST_EVENTS = 20_000  # of one run; a fresh one begins long before
SLACK = timedelta(seconds=10)
"""Between a case's row and its workflow's start."""


class Run(NamedTuple):
    """One run of a workflow, its events in order."""

    run_id: str
    events: list[HistoryEvent]


async def runs(
    client: Client,
    workflow_id: str,
    described: DescribeWorkflowExecutionResponse | None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Run]:
    """The latest runs of a workflow that Temporal still has, the oldest first.

    Args:
        client: Connected to Temporal.
        workflow_id: The workflow.
        described: Its latest run, which visibility may not list yet.
        since: When the case began; several cases may share a workflow id.
        until: When it was closed.
    """
    request = ListWorkflowExecutionsRequest(
        namespace=client.namespace, page_size=100, query=f"WorkflowId = '{workflow_id}'"
    )
    listed = await client.workflow_service.list_workflow_executions(request, retry=True, timeout=PATIENCE)
    known = {info.execution.run_id: info for info in listed.executions}
    if described is not None:
        known[described.workflow_execution_info.execution.run_id] = described.workflow_execution_info
    ordered = sorted(known.values(), key=_begun)
    wanted = [info.execution.run_id for info in ordered if _is_of(info, since, until)][-MOST_RUNS:]
    found = [Run(run_id, await events(client, workflow_id, run_id)) for run_id in wanted]
    return [run for run in found if run.events]


async def events(client: Client, workflow_id: str, run_id: str) -> list[HistoryEvent]:
    """The events of one run; none when Temporal has it no more."""
    request = GetWorkflowExecutionHistoryRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
    )
    found: list[HistoryEvent] = []
    while True:
        try:
            page = await client.workflow_service.get_workflow_execution_history(
                request, retry=True, timeout=PATIENCE
            )
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return []
            raise
        found += page.history.events
        if not page.next_page_token or len(found) >= MOST_EVENTS:
            return found
        request.next_page_token = page.next_page_token


def _begun(info: WorkflowExecutionInfo) -> datetime:
    return info.start_time.ToDatetime(UTC)


def _is_of(info: WorkflowExecutionInfo, since: datetime | None, until: datetime | None) -> bool:
    begun = _begun(info)
    return (since is None or begun >= since - SLACK) and (until is None or begun <= until + SLACK)
