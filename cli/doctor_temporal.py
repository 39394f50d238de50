"""Checks of ``hgrip doctor``: Temporal, and what runs on it."""

from datetime import UTC, datetime, timedelta

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from cli.doctor_findings import Check, Found, Ground, clock, works
from schemas.texts import Text
from wire import search_attributes
from wire import workers as seen
from workflows import schedules as declared

RETENTION = timedelta(days=7)
"""Closed workflows must stay visible at least so long: operators look at them."""
POLL = timedelta(seconds=75)
"""A worker polls at least so often."""


# --- Temporal ---------------------------------------------------------------------------------------


def _client(ground: Ground) -> Client:
    assert ground.temporal is not None  # noqa: S101 - such checks are left out without it
    return ground.temporal


async def _namespace(ground: Ground) -> Found:
    client = _client(ground)
    request = DescribeNamespaceRequest(namespace=client.namespace)
    found = await client.workflow_service.describe_namespace(request)
    kept = found.config.workflow_execution_retention_ttl.ToTimedelta()
    told = Text(f"已结束的流程保留 {kept.days} 天", f"closed workflows are kept for {kept.days} days")
    mend = f"temporal operator namespace update --namespace {client.namespace} --retention 30d"
    return Found("works", told) if kept >= RETENTION else Found("failed", told, mend)


async def _search_attributes(ground: Ground) -> Found:
    client = _client(ground)
    request = ListSearchAttributesRequest(namespace=client.namespace)
    there = (await client.operator_service.list_search_attributes(request)).custom_attributes
    missing = [key for key in search_attributes.ALL if there.get(key.name, 0) != int(key.indexed_value_type)]
    if not missing:
        return works(
            f"{len(search_attributes.ALL)} 个均已登记", f"all {len(search_attributes.ALL)} registered"
        )
    options = " ".join(f"--name {key.name} --type {key.indexed_value_type.name.title()}" for key in missing)
    names = ", ".join(key.name for key in missing)
    mend = f"temporal operator search-attribute create --namespace {client.namespace} {options}"
    return Found("failed", Text(f"缺少 {names}", f"missing: {names}"), mend)


async def _workers(ground: Ground) -> Found:
    queues = await seen.queues(_client(ground), ground.settings.task_queue)
    idle = [queue.kind for queue in queues if not _is_polled(queue, datetime.now(UTC))]
    if idle:
        names = ", ".join(idle)
        return Found(
            "failed", Text(f"没有 worker 处理 {names}", f"no worker takes {names} tasks"), "hgrip worker"
        )
    backlog = sum(queue.backlog for queue in queues)
    return works(f"有 worker 轮询，积压 {backlog}", f"workers poll, backlog {backlog}")


def _is_polled(queue: seen.Queue, at: datetime) -> bool:
    return queue.polled_at is not None and at - queue.polled_at < POLL


async def _temporal_clock(ground: Ground) -> Found:
    """A poll that Temporal has noted in our future; a clock that is behind looks like a quiet worker."""
    queues = await seen.queues(_client(ground), ground.settings.task_queue)
    now = datetime.now(UTC)
    ahead = max((queue.polled_at - now for queue in queues if queue.polled_at), default=timedelta())
    return clock(max(ahead, timedelta()))


async def _schedules(ground: Ground) -> Found:
    found = await declared.standing(_client(ground), ground.settings.task_queue)
    wrong = ", ".join(each.name for each in found if not each.as_declared)
    if wrong:
        return Found(
            "failed", Text(f"缺失或不一致：{wrong}", f"not as declared: {wrong}"), "hgrip schedules apply"
        )
    paused = [each.name for each in found if each.paused]
    if paused:
        names = ", ".join(paused)
        mend = f"temporal schedule toggle --unpause --schedule-id {declared.PREFIX}{paused[0]}"
        return Found("attention", Text(f"已暂停：{names}", f"paused: {names}"), mend)
    return works(f"{len(found)} 项均已就位", f"all {len(found)} in place")


CHECKS = (
    Check(
        "namespace", Text("Temporal 命名空间", "Temporal namespace"), _namespace,
        "temporal operator namespace create --namespace hgr --retention 30d",
    ),
    Check("search_attributes", Text("检索属性", "search attributes"), _search_attributes),
    Check("workers", Text("worker", "workers"), _workers, "hgrip worker"),
    Check("temporal_clock", Text("Temporal 时钟", "clock of Temporal"), _temporal_clock),
    Check("schedules", Text("定时任务", "schedules"), _schedules, "hgrip schedules apply"),
)  # fmt: skip
