"""Sending as a workflow asks for it, on a real Temporal server and through sockets."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

from carrier_servers import CarrierServer
from conftest import sending_by
from sms_stage import CODE, PHONE, Stage
from sms_workflow import SendOne
from sqlalchemy import Engine
from temporalio.client import Client
from temporalio.worker import Worker

from activities.sms.choice import chosen
from schemas.contracts.sms import MessageOutcome, SendMessage
from settings import Settings

OUTCOMES = {
    "aliyun": (timedelta(minutes=5), MessageOutcome(state="sent")),
    "tencent": (timedelta(seconds=8), MessageOutcome(state="unknown")),
}
"""After silence: Alibaba Cloud shows that it took the message; Tencent Cloud not before the phone has it, so
that one ends when it has lost its use."""


async def test_a_retried_activity_sends_no_second_message_and_history_knows_no_person(
    client: Client, settings: Settings, engine: Engine, server: CarrierServer
) -> None:
    server.silent = True
    carrier = chosen(sending_by(settings, server.carrier, server.url), engine)
    carrier.settled_after = timedelta()
    stage = Stage(settings, engine, carrier)
    valid, outcome = OUTCOMES[server.carrier]
    message = stage.enqueue(valid)
    order = SendMessage(message_id=message.id)
    with ThreadPoolExecutor(2) as threads:
        async with Worker(
            client,
            task_queue=settings.task_queue,
            workflows=[SendOne],
            activities=[stage.activities.send_message],
            activity_executor=threads,
        ):
            handle = await client.start_workflow(
                SendOne.run, order, id=f"send-{uuid4()}", task_queue=settings.task_queue
            )
            assert await handle.result() == outcome
    assert [taken.key for taken in server.taken] == [str(message.id)]
    history = await handle.fetch_history()
    codec = client.data_converter.payload_codec
    assert codec is not None
    carried = [
        payload.data.decode()
        for event in history.events
        for payloads in (
            event.workflow_execution_started_event_attributes.input.payloads,
            event.activity_task_scheduled_event_attributes.input.payloads,
            event.activity_task_completed_event_attributes.result.payloads,
        )
        for payload in await codec.decode(payloads)
    ]
    assert len(carried) == 3
    assert str(message.id) in carried[1]
    assert not any(person in f"{carried}" for person in (PHONE, PHONE.removeprefix("+86"), CODE))
