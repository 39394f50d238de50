"""The carrier of development: messages are shown here instead of being sent (see ``hgrip sms inbox``)."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from activities.sms.carrier import Sent, Status
from schemas.sms import SIGNATURE, TextMessage
from store import sms
from store.database import reading, writing


class Inbox:
    """Writes messages into a table that stands for a phone's screen, so their words are in the clear.

    Settings refuse it in production.
    """

    name = "inbox"
    settled_after = timedelta()

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def send(self, message: TextMessage) -> Sent:
        """Show one message."""
        with writing(self._engine) as writer:
            sms.show(writer, message, f"【{SIGNATURE}】{message.text}", datetime.now(UTC))
        return Sent(provider_id=str(message.id))

    def status(self, message: TextMessage, asked_at: datetime) -> Status:
        """Whether it is shown."""
        with reading(self._engine) as reader:
            return "delivered" if sms.is_shown(reader, message.id) else "unsent"
