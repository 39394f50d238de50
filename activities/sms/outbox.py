"""Sending what stands in the outbox: at most once, whatever fails in between."""

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Engine
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.sms.carrier import Carrier, NeverError, TryLaterError, UnknownError
from schemas.contracts.sms import MessageOutcome, SendMessage
from schemas.sms import SmsFailure, TextMessage
from store import sms as outbox
from store.database import writing
from store.encryption import ColumnCipher

log = structlog.get_logger()

SOON = timedelta(seconds=1)
"""The least time between two attempts."""
FOR_OPERATORS = ("template", "account", "unreachable")
"""Failures that the next message meets as well, until somebody mends them."""


class SmsActivities:
    """Sends text messages."""

    def __init__(self, engine: Engine, cipher: ColumnCipher, carrier: Carrier) -> None:
        self._engine = engine
        self._cipher = cipher
        self._carrier = carrier

    @activity.defn
    def send_message(self, order: SendMessage) -> MessageOutcome:
        """Send one message of the outbox, unless that has been done.

        Asks to be retried, at the pace of the carrier, until the message has lost its use; then it ends. What
        can never be sent is an outcome, not a failure: the procedure goes on. Start it with a start-to-close
        time-out of half a minute and no limit of attempts.
        """
        at = datetime.now(UTC)
        with writing(self._engine) as writer:
            outbox.give_up_expired(writer, at)
            queued = outbox.lock(writer, self._cipher, order.message_id)
            message = queued.message
            if message is None:
                return MessageOutcome(state=queued.state, failure=queued.failure)
            if queued.state == "pending":
                outbox.ask(writer, message.id, self._carrier.name, at)
        if queued.state == "unknown" and queued.asked_at:
            self._learn(message, queued.provider, queued.asked_at)
        else:
            self._send(message)
        return self._outcome(message)

    def _send(self, message: TextMessage) -> None:
        """Ask the carrier to send; the row says since a moment ago that it may have gone out."""
        try:
            taken = self._carrier.send(message)
        except TryLaterError as later:
            with writing(self._engine) as writer:
                outbox.wait(writer, message.id)
            self._come_back(message, later.retry_after, later.failure)
        except NeverError as never:
            self._give_up(message, never.failure)
        except UnknownError:
            self._come_back(message, self._carrier.settled_after, None)
        except Exception as error:  # what an SDK raises unforeseen may quote the number
            log.error("carrier failed", message=str(message.id), error=type(error).__name__)  # noqa: TRY400 - no text
            self._come_back(message, self._carrier.settled_after, None)
        else:
            with writing(self._engine) as writer:
                outbox.sent(writer, message.id, "sent", taken.provider_id, datetime.now(UTC))

    def _learn(self, message: TextMessage, provider: str | None, asked_at: datetime) -> None:
        """An earlier attempt may have sent it: ask the carrier, and send only what surely was not.

        What another carrier was asked to send, before the settings changed, this one cannot know.
        """
        ours = provider == self._carrier.name
        try:
            status = self._carrier.status(message, asked_at) if ours else "unknown"
        except TryLaterError as later:
            self._come_back(message, later.retry_after, None)
            return
        settled_in = asked_at + self._carrier.settled_after - datetime.now(UTC)
        if status in ("sent", "delivered"):
            with writing(self._engine) as writer:
                outbox.sent(writer, message.id, status, None, datetime.now(UTC))
        elif status == "undelivered":
            self._give_up(message, "undelivered")
        elif status == "unsent" and settled_in <= timedelta() and self._is_mine(message, asked_at):
            self._send(message)
        else:
            self._come_back(message, max(settled_in, self._carrier.settled_after), None)

    def _is_mine(self, message: TextMessage, asked_at: datetime) -> bool:
        """Take the message for this attempt, unless another one has taken it since."""
        with writing(self._engine) as writer:
            queued = outbox.lock(writer, self._cipher, message.id)
            if queued.state != "unknown" or queued.asked_at != asked_at:
                return False
            outbox.ask(writer, message.id, self._carrier.name, datetime.now(UTC))
        return True

    def _come_back(self, message: TextMessage, after: timedelta, failure: SmsFailure | None) -> None:
        """Have the activity tried again, or give the message up where it will have lost its use by then."""
        after = max(after, SOON)
        if datetime.now(UTC) + after >= message.send_before:
            self._give_up(message, failure)
            return
        code = failure or "unknown"
        expected = ApplicationErrorCategory.BENIGN  # not worth a trace in the worker's log each time
        raise ApplicationError(code, type=f"sms_{code}", next_retry_delay=after, category=expected) from None

    def _give_up(self, message: TextMessage, failure: SmsFailure | None) -> None:
        with writing(self._engine) as writer:
            outbox.give_up(writer, message.id, failure)
        tell = log.error if failure in FOR_OPERATORS else log.warning
        tell(
            "message not sent",
            message=str(message.id),
            carrier=self._carrier.name,
            failure=failure or "unknown",
        )

    def _outcome(self, message: TextMessage) -> MessageOutcome:
        with writing(self._engine) as writer:
            queued = outbox.lock(writer, self._cipher, message.id)
        return MessageOutcome(state=queued.state, failure=queued.failure)
