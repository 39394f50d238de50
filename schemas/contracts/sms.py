"""What crosses Temporal for a text message: its id; no number, no words.

Fields are only ever added, with a default (see `schemas.contracts.backups`).
"""

from uuid import UUID

from schemas.contracts.backups import Message
from schemas.sms import SmsFailure, SmsState


class SendMessage(Message):
    """Send one message of the outbox, at most once."""

    message_id: UUID


class MessageOutcome(Message):
    """What became of it; whatever it is, the procedure goes on.

    Attributes:
        state: ``sent``, ``delivered``, ``failed``; ``unknown`` where the carrier never said.
        failure: Why it failed.
    """

    state: SmsState
    failure: SmsFailure | None = None
