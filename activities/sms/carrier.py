"""The port to a carrier of text messages (短信服务商): what every adapter takes, answers and raises."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, Protocol

from schemas.sms import SmsFailure, TextMessage

Status = Literal["unsent", "sent", "delivered", "undelivered", "unknown"]
"""``unsent`` only from a carrier that shows every message it took; one that does not, says ``unknown``."""

CONNECT_TIMEOUT = 4
"""Seconds to reach a carrier."""
READ_TIMEOUT = 10
"""Seconds for its answer."""
UNREACHABLE_FOR = timedelta(seconds=10)
"""After this long a carrier that could not be reached is tried again."""


class Sent(NamedTuple):
    """The carrier took the message; what it calls it."""

    provider_id: str


class TryLaterError(Exception):
    """The carrier did not take the message, and may later: one of its limits, or it cannot be reached."""

    def __init__(self, failure: Literal["limited", "unreachable"], retry_after: timedelta) -> None:
        super().__init__(failure)
        self.failure = failure
        self.retry_after = retry_after


class NeverError(Exception):
    """The carrier will not take this message, however often it is asked."""

    def __init__(self, failure: SmsFailure) -> None:
        super().__init__(failure)
        self.failure = failure


class UnknownError(Exception):
    """The carrier was asked and its answer did not come, or makes no sense: the message may have gone out."""

    def __init__(self) -> None:
        super().__init__("no answer")


class Meaning(NamedTuple):
    """What one family of a carrier's codes means.

    Attributes:
        pattern: Regular expression that the code begins with.
        failure: The reason, in our words.
        retry_after: After which the same message may be taken; None for never.
    """

    pattern: str
    failure: SmsFailure
    retry_after: timedelta | None = None


def refusal(code: str, meanings: Iterable[Meaning]) -> TryLaterError | NeverError | UnknownError:
    """What to raise for a carrier's code: the first meaning that fits; what none fits, may have gone out."""
    for meaning in meanings:
        if re.match(meaning.pattern, code, re.DOTALL):
            later = meaning.retry_after
            return TryLaterError("limited", later) if later else NeverError(meaning.failure)
    return UnknownError()


class Carrier(Protocol):
    """A way to send. Safe to share between threads; nothing it raises or logs holds a number or a code."""

    name: str
    """``inbox``, ``aliyun`` or ``tencent``; also in the address of its receipts."""
    settled_after: timedelta
    """How long after it was asked a message that it does not show was not taken.

    Longer than a request can be under way, so that an attempt that still runs somewhere is never overtaken.
    """

    def send(self, message: TextMessage) -> Sent:
        """Send one message, with its id as the carrier's own key for it.

        Raises:
            TryLaterError: It was not taken, and may be later.
            NeverError: It will never be taken.
            UnknownError: It may have gone out.
        """

    def status(self, message: TextMessage, asked_at: datetime) -> Status:
        """Whether a message with this id went out since the carrier was asked.

        Raises:
            TryLaterError: The carrier could not be asked.
        """
