"""Text messages (短信): their kinds, the words of each, and why one was not sent."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

SmsKind = Literal["claim_code", "step_up_code"]
"""A claim's code to the number on record; a code to an administrator's own phone before they claim."""
SmsState = Literal["pending", "unknown", "sent", "delivered", "failed"]
"""``unknown``: handed to the carrier, and its answer has not come."""
SmsFailure = Literal["limited", "unreachable", "number", "template", "account", "expired", "undelivered"]
"""Why a message is ``failed``.

A limit of the carrier (流控); it could not be reached; it refused the number, the template or signature, or
the sender's account; nobody came to send it before it lost its use; the phone did not get what was sent.
"""

SIGNATURE = "人遗备份"
"""Stands before the words where no carrier adds its own approved one (签名)."""
TEMPLATES: dict[SmsKind, str] = {
    "claim_code": "验证码{code}，用于认领原备份系统中的备份。请勿告知他人；如非本人操作，请忽略。",
    "step_up_code": "验证码{code}，用于确认以单位管理员身份认领备份。请勿告知他人；如非本人操作，请忽略。",
}
"""The words a carrier approves as a template. One parameter each: verification templates may have no more."""


@dataclass(frozen=True)
class TextMessage:
    """One message to one phone. It prints nothing of itself.

    Attributes:
        id: One per claim and attempt: whatever happens, a message with one id is sent once.
        kind: Which words.
        case_id: The claim it is for.
        phone: Number in E.164, such as ``+8615400000000``.
        code: The digits that the words hold.
        send_before: When it has lost its use; it is given up then, unsent.
    """

    id: UUID = field(repr=False)
    kind: SmsKind = field(repr=False)
    case_id: UUID = field(repr=False)
    phone: str = field(repr=False)
    code: str = field(repr=False)
    send_before: datetime = field(repr=False)

    @property
    def text(self) -> str:
        """What the phone shows, after the signature."""
        return TEMPLATES[self.kind].format(code=self.code)
