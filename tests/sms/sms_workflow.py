"""A workflow that sends one message and goes on whatever becomes of it."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.sms.outbox import SmsActivities
    from schemas.contracts.sms import MessageOutcome, SendMessage


@workflow.defn
class SendOne:
    """Sends one message of the outbox."""

    @workflow.run
    async def run(self, order: SendMessage) -> MessageOutcome:
        return await workflow.execute_activity_method(
            SmsActivities.send_message, order, start_to_close_timeout=timedelta(seconds=30)
        )
