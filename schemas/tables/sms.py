"""The outbox of text messages, and the stand-in for a phone's screen."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, String, text
from sqlmodel import Field, SQLModel

from schemas.sms import SmsFailure, SmsKind, SmsState


class SmsMessage(SQLModel, table=True):
    """One text message (短信). Number and code are encrypted, and gone once it is sent or given up."""

    __tablename__ = "sms_message"
    __table_args__ = (
        Index("sms_message_unsent", "send_before", postgresql_where=text("phone IS NOT NULL")),
        Index("sms_message_by_provider_id", "provider", "provider_id"),
    )

    id: UUID = Field(primary_key=True, description="Idempotency key: one per claim and attempt")
    kind: SmsKind = Field(sa_type=String)
    case_id: UUID = Field(description="The claim it is for")
    phone: bytes | None = None
    code: bytes | None = None
    state: SmsState = Field(default="pending", sa_type=String)
    failure: SmsFailure | None = Field(default=None, sa_type=String)
    provider: str | None = Field(default=None, description="The carrier that was asked last")
    provider_id: str | None = Field(default=None, description="What the carrier calls it")
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    send_before: datetime = Field(sa_type=DateTime(timezone=True))
    asked_at: datetime | None = Field(
        default=None,
        sa_type=DateTime(timezone=True),
        description="When the carrier was last asked to send it",
    )
    sent_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    receipt_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class SmsInbox(SQLModel, table=True):
    """What a phone would show, in the clear; for development only."""

    __tablename__ = "sms_inbox"

    id: UUID = Field(primary_key=True)
    phone: str = Field(description="Masked")
    text: str
    arrived_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)
