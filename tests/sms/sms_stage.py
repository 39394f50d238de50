"""One outbox in a database, and a carrier that answers as it is told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
from temporalio.exceptions import ApplicationError

from activities.sms.carrier import Carrier, Sent, Status, UnknownError
from activities.sms.outbox import SmsActivities
from schemas.contracts.sms import MessageOutcome, SendMessage
from schemas.sms import TextMessage
from settings import Settings
from store import sms
from store.database import connect, writing
from store.encryption import ColumnCipher
from wire.keys import KeyRing

PHONE = "+8615400000000"
CODE = "380951"


class Scripted:
    """A carrier that does what it is told, and remembers what really went out."""

    name = "aliyun"
    settled_after = timedelta()

    def __init__(self) -> None:
        self.sent: list[UUID] = []
        self.answers: list[Exception | None] = []
        """What it raises next, after it has sent when that is `UnknownError`; None answers properly."""
        self.shows: list[Status | Exception] = []
        """What it says next when it is asked for a status; by default the truth."""
        self.meanwhile: Callable[[], object] = lambda: None

    def send(self, message: TextMessage) -> Sent:
        answer = self.answers.pop(0) if self.answers else None
        if answer is None or isinstance(answer, UnknownError):
            self.sent.append(message.id)
        self.meanwhile()
        if answer is not None:
            raise answer
        return Sent(provider_id=f"9006^{message.id}")

    def status(self, message: TextMessage, asked_at: datetime) -> Status:
        shown = self.shows.pop(0) if self.shows else "sent" if message.id in self.sent else "unsent"
        if isinstance(shown, Exception):
            raise shown
        return shown


class Stage:
    """The outbox, its activity, and what its rows say."""

    def __init__(self, settings: Settings, carrier: Carrier) -> None:
        self.settings = settings
        self.engine = connect(settings.database_url.get_secret_value())
        self.cipher = ColumnCipher(KeyRing.load(settings.keys_file))
        self.activities = SmsActivities(self.engine, self.cipher, carrier)

    def enqueue(self, valid: timedelta = timedelta(minutes=5), id_: UUID | None = None) -> TextMessage:
        now = datetime.now(UTC)
        message = TextMessage(id_ or uuid4(), "claim_code", uuid4(), PHONE, CODE, now + valid)
        with writing(self.engine) as writer:
            sms.enqueue(writer, self.cipher, message, now)
        return message

    def attempt(self, message: TextMessage) -> MessageOutcome | ApplicationError:
        """One attempt of the activity; a failure that Temporal would retry is returned."""
        try:
            return self.activities.send_message(SendMessage(message_id=message.id))
        except ApplicationError as error:
            return error

    def row(self, message: TextMessage) -> dict[str, object]:
        with psycopg.connect(self.settings.database_url.get_secret_value().replace("+psycopg", "")) as plain:
            cursor = plain.execute("SELECT * FROM sms_message WHERE id = %s", [message.id])
            [row], names = cursor.fetchall(), [column.name for column in cursor.description or ()]
        return dict(zip(names, row, strict=True))
