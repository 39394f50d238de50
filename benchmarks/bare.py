"""The least that Temporal can be asked to do: what ours is compared with."""

from datetime import timedelta

from sqlalchemy import Engine, text
from temporalio import activity, workflow

TIMEOUT = timedelta(seconds=20)


@activity.defn
def nothing() -> None:
    """Do nothing."""


class OneRow:
    """A table with one row, for the least that a durable change can be."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    def create(self) -> None:
        """Make table and row."""
        with self._engine.connect() as connection:
            connection.execute(text("CREATE TABLE bare_row AS SELECT 0 AS changes"))

    @activity.defn
    def change_row(self) -> None:
        """Change the row: one statement, which is its own transaction."""
        with self._engine.connect() as connection:
            connection.execute(_CHANGE)


_CHANGE = text("UPDATE bare_row SET changes = changes + 1")


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
        await workflow.execute_local_activity(nothing, start_to_close_timeout=TIMEOUT)
        self._closed = last
        return last

    @workflow.update
    async def change_row(self) -> None:
        """Change one row, in a local activity."""
        await workflow.execute_local_activity_method(OneRow.change_row, start_to_close_timeout=TIMEOUT)
