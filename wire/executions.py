"""What Temporal itself says of workflow executions (流程实例), as it says it.

The SDK's own objects know no paused workflow yet, so the service is asked directly.
"""

from datetime import timedelta
from typing import NamedTuple

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from wire import search_attributes

PATIENCE = timedelta(seconds=5)
"""For one call."""
_PAUSED = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED
_LIVING = (WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING, _PAUSED)
_RESETTABLE = {
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED: "completed",
    EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED: "failed",
    EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT: "timed_out",
}


class ResetPoint(NamedTuple):
    """An event that a workflow can be reset to: the end of a workflow task."""

    event_id: int
    at: str
    outcome: str


async def describe(client: Client, workflow_id: str) -> DescribeWorkflowExecutionResponse | None:
    """The latest run of a workflow; None where there is none, or none any more."""
    request = DescribeWorkflowExecutionRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
    )
    try:
        return await client.workflow_service.describe_workflow_execution(
            request, retry=True, timeout=PATIENCE
        )
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise


def lives(found: DescribeWorkflowExecutionResponse) -> bool:
    """Whether it runs or is paused."""
    return found.workflow_execution_info.status in _LIVING


def is_paused(found: DescribeWorkflowExecutionResponse) -> bool:
    """Whether an operator has paused it: it takes no updates then."""
    return found.workflow_execution_info.status == _PAUSED


def is_blocked(found: DescribeWorkflowExecutionResponse) -> bool:
    """Whether it waits for an operator to resolve a block."""
    attributes = found.workflow_execution_info.search_attributes.indexed_fields
    return attributes[search_attributes.BLOCKED.name].data == b"true"


async def listed(client: Client, query: str, most: int) -> list[str]:
    """Ids of the workflows that visibility finds."""
    request = ListWorkflowExecutionsRequest(namespace=client.namespace, page_size=most, query=query)
    found = await client.workflow_service.list_workflow_executions(request, retry=True, timeout=PATIENCE)
    return [each.execution.workflow_id for each in found.executions]


async def reset_points(client: Client, workflow_id: str) -> list[ResetPoint]:
    """Where the latest run can be reset to, the first point first."""
    request = GetWorkflowExecutionHistoryRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
    )
    points = []
    while True:
        page = await client.workflow_service.get_workflow_execution_history(
            request, retry=True, timeout=PATIENCE
        )
        points += [
            ResetPoint(event.event_id, event.event_time.ToJsonString(), _RESETTABLE[event.event_type])
            for event in page.history.events
            if event.event_type in _RESETTABLE
        ]
        if not page.next_page_token:
            return points
        request.next_page_token = page.next_page_token
