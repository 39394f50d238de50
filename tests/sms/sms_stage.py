"""One outbox in a database, and a carrier that answers as it is told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import Engine, text
from temporalio.exceptions import ApplicationError

from activities.sms.carrier import Carrier, NeverError, Sent, Status, TryLaterError, UnknownError
from activities.sms.outbox import SmsActivities
from schemas.contracts.sms import MessageOutcome, SendMessage
from schemas.sms import TextMessage
from settings import Settings
from store import sms
from store.database import writing
from store.encryption import ColumnCipher
from wire.keys import KeyRing

PHONE = "+8615400000000"
CODE = "380951"
MINUTE = timedelta(minutes=1)
Answer = Literal[
    "taken", "limited", "too long", "refused", "lost before", "lost after", "died before", "died after"
]
"""``lost`` and ``died``: before or after it went out; no answer came, or nobody was there to hear it."""


class DiedError(BaseException):
    """The worker ends at this very place."""


class Scripted:
    """A carrier that does what it is told, and remembers what really went out."""

    name = "aliyun"
    settled_after = timedelta()

    def __init__(self, *script: Answer) -> None:
        self.script = list(script)
        """What it does next; when it is through, it takes every message."""
        self.away = 0
        """How often it cannot be asked for a status."""
        self.sent: list[UUID] = []
        self.meanwhile: Callable[[], object] = lambda: None
        """What happens between the sending of a message and the answer."""

    def send(self, message: TextMessage) -> Sent:
        answer = self.script.pop(0) if self.script else "taken"
        if answer in ("taken", "lost after", "died after"):
            self.sent.append(message.id)
        self.meanwhile()
        if answer.startswith("died"):
            raise DiedError
        raised = {
            "limited": TryLaterError("limited", MINUTE),
            "too long": TryLaterError("limited", timedelta(hours=1)),
            "refused": NeverError("number"),
            "lost before": UnknownError(),
            "lost after": UnknownError(),
        }
        if answer in raised:
            raise raised[answer]
        return Sent(provider_id=f"9006^{message.id}")

    def status(self, message: TextMessage, asked_at: datetime) -> Status:
        if self.away:
            self.away -= 1
            raise TryLaterError("unreachable", MINUTE)
        return "sent" if message.id in self.sent else "unsent"


class Stage:
    """The outbox, its activity, and what its rows say."""

    def __init__(self, settings: Settings, engine: Engine, carrier: Carrier) -> None:
        self.engine = engine
        self.cipher = ColumnCipher(KeyRing.load(settings.keys_file))
        self.activities = SmsActivities(engine, self.cipher, carrier)

    def enqueue(
        self, valid: timedelta = 5 * MINUTE, id_: UUID | None = None, code: str = CODE
    ) -> TextMessage:
        now = datetime.now(UTC)
        message = TextMessage(id_ or uuid4(), "claim_code", uuid4(), PHONE, code, now + valid)
        with writing(self.engine) as writer:
            sms.enqueue(writer, self.cipher, message, now)
        return message

    def attempt(self, message: TextMessage) -> MessageOutcome | ApplicationError | None:
        """One attempt of the activity: its outcome, a failure that is tried again, or None where it died."""
        try:
            return self.activities.send_message(SendMessage(message_id=message.id))
        except ApplicationError as error:
            return error
        except DiedError:
            return None

    def outcome(self, message: TextMessage) -> MessageOutcome:
        """What comes of as many attempts as it takes."""
        for _ in range(50):
            outcome = self.attempt(message)
            if isinstance(outcome, MessageOutcome):
                return outcome
        raise AssertionError("no end of attempts")

    def row(self, message: TextMessage) -> dict[str, Any]:
        with self.engine.connect() as connection:
            query = text("SELECT * FROM sms_message WHERE id = :id")
            return dict(connection.execute(query, {"id": message.id}).mappings().one())
