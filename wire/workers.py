"""What Temporal knows of the workers of a task queue: versions, load, and what waits for them."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerSlotsInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, ListWorkersRequest
from temporalio.client import Client

GONE = timedelta(minutes=2)
"""A worker that has not been heard of for so long is gone."""
KINDS = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


class Slots(NamedTuple):
    """What a worker can do at once, of one kind."""

    used: int
    free: int
    failed: int


class WorkerSeen(NamedTuple):
    """One worker.

    Attributes:
        identity: Process id and host.
        build_id: Version of its code.
        heard_at: When it last told how busy it is.
    """

    identity: str
    build_id: str
    sdk: str
    running: bool
    started_at: datetime
    heard_at: datetime
    slots: dict[str, Slots]


class Queue(NamedTuple):
    """What waits on a task queue, of one kind.

    Attributes:
        pollers: Identities of workers that ask for work.
        polled_at: When one last did, by Temporal's clock.
        backlog: Tasks that no worker has taken up.
        waited: For how long the first of them has waited.
    """

    kind: str
    pollers: list[str]
    polled_at: datetime | None
    backlog: int
    waited: timedelta


async def seen(client: Client, task_queue: str, at: datetime) -> list[WorkerSeen]:
    """The workers of a task queue that are heard of, the newest first."""
    request = ListWorkersRequest(namespace=client.namespace, query=f'TaskQueue="{task_queue}"')
    found = await client.workflow_service.list_workers(request)
    workers = [_worker(each.worker_heartbeat) for each in found.workers_info]
    alive = [worker for worker in workers if at - worker.heard_at < GONE]
    return sorted(alive, key=lambda worker: worker.started_at, reverse=True)


async def queues(client: Client, task_queue: str) -> list[Queue]:
    """What waits on a task queue, of each kind."""
    return [await _queue(client, task_queue, kind) for kind in KINDS]


async def _queue(client: Client, task_queue: str, kind: str) -> Queue:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=task_queue),
        task_queue_type=KINDS[kind],
        report_stats=True,
    )
    found = await client.workflow_service.describe_task_queue(request)
    polled = [poller.last_access_time.ToDatetime(UTC) for poller in found.pollers]
    return Queue(
        kind,
        sorted({poller.identity for poller in found.pollers}),
        max(polled, default=None),
        found.stats.approximate_backlog_count,
        found.stats.approximate_backlog_age.ToTimedelta(),
    )


def _worker(said: WorkerHeartbeat) -> WorkerSeen:
    return WorkerSeen(
        identity=said.worker_identity,
        build_id=said.deployment_version.build_id[:8],
        sdk=f"{said.sdk_name} {said.sdk_version}",
        running=said.status == WorkerStatus.WORKER_STATUS_RUNNING,
        started_at=said.start_time.ToDatetime(UTC),
        heard_at=said.heartbeat_time.ToDatetime(UTC),
        slots={
            "workflow": _slots(said.workflow_task_slots_info),
            "activity": _slots(said.activity_task_slots_info),
            "local activity": _slots(said.local_activity_slots_info),
        },
    )


def _slots(info: WorkerSlotsInfo) -> Slots:
    return Slots(info.current_used_slots, info.current_available_slots, info.total_failed_tasks)
