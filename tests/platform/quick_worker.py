"""A worker whose dead colleagues are missed within seconds, where production waits for minutes."""

import asyncio
from datetime import timedelta
from typing import Any

import temporalio.worker
from temporalio.worker import (
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle

import worker

SOON = timedelta(seconds=3)


class Outbound(WorkflowOutboundInterceptor):
    """Every attempt of an activity is over soon."""

    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:  # noqa: A002 - the SDK's name
        input.start_to_close_timeout = SOON
        return super().start_activity(input)


class Inbound(WorkflowInboundInterceptor):
    """Puts it in its place."""

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(Outbound(outbound))


class Hurried(Interceptor):
    """For all workflows."""

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002 - the SDK's name
    ) -> type[WorkflowInboundInterceptor]:
        return Inbound


def hurried(client: Any, *, interceptors: list[Interceptor], **options: Any) -> temporalio.worker.Worker:
    """A worker as it is built, in a hurry."""
    also: dict[str, Any] = {"sticky_queue_schedule_to_start_timeout": timedelta(seconds=1)}
    return temporalio.worker.Worker(client, interceptors=[*interceptors, Hurried()], **options, **also)


if __name__ == "__main__":
    vars(worker)["Worker"] = hurried
    asyncio.run(worker.main())
