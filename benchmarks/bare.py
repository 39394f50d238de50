"""The least that Temporal can be asked to do: what ours is compared with."""

from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
def nothing() -> None:
    """Do nothing."""


@workflow.defn
class Nothing:
    """Starts and ends."""

    @workflow.run
    async def run(self) -> None:
        """Do nothing."""


@workflow.defn
class Bare:
    """Stays open for updates with one local activity each, until one says that it is the last."""

    def __init__(self) -> None:
        self._closed = False

    @workflow.run
    async def run(self) -> None:
        """Wait for the last update."""
        await workflow.wait_condition(lambda: self._closed)

    @workflow.update
    async def update(self, last: bool) -> bool:
        """Do nothing, in a local activity."""
        await workflow.execute_local_activity(nothing, start_to_close_timeout=timedelta(seconds=20))
        self._closed = last
        return last
