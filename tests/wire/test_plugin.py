"""The plugin on a real server: what is readable in Temporal, and what is not."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.testing import TimeSkipper
from temporalio.worker import Replayer, Worker
from wire_workflows import Clockwatcher, Courier, Message, Misfit, Sleeper, fail, repeat

from settings import Settings
from wire import search_attributes
from wire.keys import KeyRing
from wire.plugin import WirePlugin

CANARY = "张金丝雀13800001111"
WAIT = timedelta(seconds=20)


@pytest_asyncio.fixture(scope="session")
async def outsider(session_settings: Settings) -> Client:
    """A client without our plugin, as the ``temporal`` command is."""
    return await Client.connect(
        session_settings.temporal_address,
        namespace=session_settings.temporal_namespace,
        data_converter=pydantic_data_converter,
    )


@asynccontextmanager
async def working(client: Client) -> AsyncIterator[str]:
    """A worker on a task queue of its own; yields the queue's name, used as workflow id as well."""
    queue = f"wire-{uuid.uuid4()}"
    with ThreadPoolExecutor(4) as threads:
        async with Worker(
            client,
            task_queue=queue,
            workflows=[Courier, Sleeper, Clockwatcher, Misfit],
            activities=[repeat, fail],
            activity_executor=threads,
        ):
            yield queue


async def deliver(client: Client, queue: str) -> WorkflowHandle[Courier, Message]:
    """Send the canary along every way through Temporal."""
    message = Message(text=CANARY)
    handle = await client.start_workflow(
        Courier.run,
        message,
        id=queue,
        task_queue=queue,
        memo={"canary": CANARY},
        static_summary=CANARY,
        static_details=CANARY,
        rpc_timeout=WAIT,
    )
    assert await handle.execute_update(Courier.hear, message, rpc_timeout=WAIT) == message
    with pytest.raises(WorkflowUpdateFailedError) as raised:
        await handle.execute_update(Courier.refuse, message, rpc_timeout=WAIT)
    assert isinstance(raised.value.cause, ApplicationError)
    assert raised.value.cause.message == CANARY
    assert (await handle.query(Courier.words, rpc_timeout=WAIT))[0] == CANARY
    await handle.signal(Courier.finish, message, rpc_timeout=WAIT)
    assert await asyncio.wait_for(handle.result(), 20) == message
    return handle


async def raw_history(outsider: Client, workflow_id: str) -> bytes:
    """Everything the server tells about a workflow, undecoded."""
    handle = outsider.get_workflow_handle(workflow_id)
    description = (await handle.describe()).raw_description
    events = (await handle.fetch_history()).events
    return b"".join([description.SerializeToString(), *(event.SerializeToString() for event in events)])


async def test_no_payload_and_no_failure_text_is_readable_in_raw_history_but_failure_types_are(
    client: Client, outsider: Client
) -> None:
    async with working(client) as queue:
        await deliver(client, queue)
    history = await raw_history(outsider, queue)
    assert CANARY.encode() not in history
    assert b"13800001111" not in history
    for readable in (b"wire_test_refusal", b"ValueError", b"Encoded failure", b"HgrStage", b"open"):
        assert readable in history


async def test_without_the_plugin_the_same_search_finds_payloads_and_failure_texts(outsider: Client) -> None:
    async with working(outsider) as queue:
        await deliver(outsider, queue)
    history = await raw_history(outsider, queue)
    assert CANARY.encode() in history
    assert f"outer {CANARY}".encode() in history
    assert f"inner {CANARY}".encode() in history


async def test_search_attributes_stay_readable_because_the_server_searches_them(client: Client) -> None:
    async with working(client) as queue:
        handle = await deliver(client, queue)
    assert (await handle.describe()).typed_search_attributes[search_attributes.STAGE] == "open"


async def test_a_replayer_with_the_plugin_replays_an_encrypted_history(
    client: Client, outsider: Client, wire_plugin: WirePlugin
) -> None:
    async with working(client) as queue:
        await deliver(client, queue)
    history = await outsider.get_workflow_handle(queue).fetch_history()
    await Replayer(workflows=[Courier], plugins=[wire_plugin]).replay_workflow(history)


async def test_a_plaintext_message_fails_alone_and_the_workflow_lives_on(
    client: Client, outsider: Client
) -> None:
    async with working(client) as queue:
        handle = await client.start_workflow(Courier.run, Message(text="x"), id=queue, task_queue=queue)
        intruder = outsider.get_workflow_handle(queue)
        await intruder.signal("finish", Message(text="injected"))
        with pytest.raises(WorkflowUpdateFailedError):
            await intruder.execute_update("hear", Message(text="injected"), rpc_timeout=WAIT)
        assert "injected" not in await handle.query(Courier.words, rpc_timeout=WAIT)
        await handle.signal(Courier.finish, Message(text="x"))
        await asyncio.wait_for(handle.result(), 20)


async def test_a_message_that_does_not_fit_its_model_fails_the_workflow_instead_of_retrying_for_ever(
    client: Client, outsider: Client
) -> None:
    async with working(client) as queue:
        with pytest.raises(WorkflowFailureError) as raised:
            await asyncio.wait_for(client.execute_workflow(Misfit.run, id=queue, task_queue=queue), 20)
    assert isinstance(raised.value.cause, ApplicationError)
    assert raised.value.cause.type == "ValidationError"


async def test_the_sandbox_stops_a_workflow_that_asks_the_clock(client: Client) -> None:
    async with working(client) as queue:
        handle = await client.start_workflow(Clockwatcher.run, id=queue, task_queue=queue)
        async for event in handle.fetch_history_events(wait_new_event=True):
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
                break
        await handle.terminate()
    failure = event.workflow_task_failed_event_attributes.failure
    assert failure.application_failure_info.type == "RestrictedWorkflowAccessError"


async def test_a_test_can_move_one_workflow_through_months(client: Client, time_skipper: TimeSkipper) -> None:
    async with working(client) as queue:
        handle = await client.start_workflow(Sleeper.run, Message(text="x"), id=queue, task_queue=queue)
        assert await time_skipper.fast_forward(handle, timedelta(days=179)), "still asleep"
        assert not await time_skipper.fast_forward(handle, timedelta(days=2)), "has woken up and ended"
        assert await handle.result() == "x"


def test_nobody_can_run_with_payload_printing_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_PRINT_FULL_PAYLOADS", "1")
    with pytest.raises(RuntimeError, match="TEMPORAL_PRINT_FULL_PAYLOADS"):
        WirePlugin(KeyRing.generate(), "hgr")
