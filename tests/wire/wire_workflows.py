"""Workflows and activities for the tests of the wire, apart because the sandbox loads this file anew."""

from datetime import UTC, datetime, timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from wire import search_attributes


class Message(BaseModel):
    text: str


@activity.defn
def repeat(message: Message) -> Message:
    return message


@activity.defn
def fail(message: Message) -> Message:
    inner = ValueError(f"inner {message.text}")
    raise ApplicationError(f"outer {message.text}", message.text, type="wire_test_refusal") from inner


@workflow.defn
class Courier:
    """Sends its message through everything that crosses Temporal, then waits to be told to finish."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.finished = False

    @workflow.run
    async def run(self, message: Message) -> Message:
        workflow.upsert_search_attributes([search_attributes.STAGE.value_set("open")])
        workflow.upsert_memo({"note": message.text})
        workflow.set_current_details(message.text)
        for run in (workflow.execute_local_activity, workflow.execute_activity):
            await run(repeat, message, start_to_close_timeout=timedelta(seconds=10), summary=message.text)
        for run in (workflow.execute_local_activity, workflow.execute_activity):
            try:
                await run(
                    fail,
                    message,
                    start_to_close_timeout=timedelta(seconds=10),
                    retry_policy=RetryPolicy(maximum_attempts=1),
                )
            except Exception as error:
                self.heard.append(type(error.__cause__).__name__)
        await workflow.wait_condition(
            lambda: self.finished, timeout=timedelta(days=200), timeout_summary=message.text
        )
        return message

    @workflow.update
    async def hear(self, message: Message) -> Message:
        self.heard.append(message.text)
        return message

    @workflow.update
    async def refuse(self, message: Message) -> None:
        raise ApplicationError(message.text, type="wire_test_refusal")

    @workflow.signal
    def finish(self, message: Message) -> None:
        self.finished = True

    @workflow.query
    def words(self) -> list[str]:
        return self.heard


@workflow.defn
class Sleeper:
    """Does nothing for a long time."""

    @workflow.run
    async def run(self, message: Message) -> str:
        await workflow.sleep(timedelta(days=180))
        return message.text


@workflow.defn
class Clockwatcher:
    """Breaks the rule that a workflow never asks the clock."""

    @workflow.run
    async def run(self) -> str:
        return str(datetime.now(UTC))


@workflow.defn
class Misfit:
    """Reads the answer of an activity into a model that it does not fit."""

    @workflow.run
    async def run(self) -> int:
        number: int = await workflow.execute_activity(
            "repeat", Message(text="x"), result_type=int, start_to_close_timeout=timedelta(seconds=10)
        )
        return number
