"""The outbox of text messages (短信): what is to be sent, what became of it, and nothing longer than needed.

A message stands in the outbox in the transaction that decides on it, and is sent after that has committed.
Its state is true at every instant: it is ``unknown`` from before the carrier is asked until it has answered.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, case, func, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import SQLModel

from schemas.sms import SmsFailure, SmsState, TextMessage
from schemas.tables import sms as tables
from store.database import Reader, Writer
from store.encryption import ColumnCipher


class Queued(NamedTuple):
    """A message of the outbox, its row locked.

    Attributes:
        message: None once it is sent or given up.
        provider: The carrier that was asked last.
        asked_at: When it was asked.
    """

    state: SmsState
    failure: SmsFailure | None
    message: TextMessage | None
    provider: str | None
    asked_at: datetime | None


class Receipt(NamedTuple):
    """What a carrier reports of one message (回执).

    Attributes:
        key: The message's id where the carrier repeats it, else what the carrier itself calls the message.
        arrived: Whether the phone has it.
    """

    key: UUID | str
    arrived: bool


class Shown(NamedTuple):
    """One message as the inbox shows it."""

    id: UUID
    phone: str
    text: str
    arrived_at: datetime


def enqueue(writer: Writer, cipher: ColumnCipher, message: TextMessage, at: datetime) -> None:
    """Put a message into the outbox; a second time, with the same id, does nothing.

    To be sent by the activity ``SmsActivities.send_message`` once the transaction has committed.
    """
    row = {
        "id": message.id,
        "kind": message.kind,
        "case_id": message.case_id,
        "phone": cipher.encrypt(message.phone, "sms_message", "phone", message.id),
        "code": cipher.encrypt(message.code, "sms_message", "code", message.id),
        "state": "pending",
        "created_at": at,
        "send_before": message.send_before,
    }
    writer.execute(_ENQUEUE, row)


def lock(writer: Writer, cipher: ColumnCipher, message_id: UUID) -> Queued:
    """One message, its row locked until the transaction ends.

    Raises:
        NoResultFound: It was never put into the outbox.
    """
    row = writer.execute(_LOCK, {"message_id": message_id}).one()
    if row.phone is None:
        return Queued(row.state, row.failure, None, row.provider, row.asked_at)
    message = TextMessage(
        id=message_id,
        kind=row.kind,
        case_id=row.case_id,
        phone=cipher.decrypt(row.phone, "sms_message", "phone", message_id),
        code=cipher.decrypt(row.code, "sms_message", "code", message_id),
        send_before=row.send_before,
    )
    return Queued(row.state, row.failure, message, row.provider, row.asked_at)


def ask(writer: Writer, message_id: UUID, provider: str, at: datetime) -> None:
    """Note that the carrier is about to be asked: from now on the message may have gone out."""
    writer.execute(_ASK, {"message_id": message_id, "by": provider, "at": at})


def wait(writer: Writer, message_id: UUID) -> None:
    """Note that the carrier did not take the message, and may take it later."""
    writer.execute(_WAIT, {"message_id": message_id})


def sent(
    writer: Writer,
    message_id: UUID,
    state: Literal["sent", "delivered"],
    provider_id: str | None,
    at: datetime,
) -> None:
    """Note that it went out; a receipt that came first stands. Number and code go."""
    facts = {"message_id": message_id, "new_state": state, "new_provider_id": provider_id, "at": at}
    writer.execute(_SENT, facts)


def give_up(writer: Writer, message_id: UUID, failure: SmsFailure | None) -> None:
    """Note that it will not go out; or, without a reason, that nobody knows. Number and code go."""
    writer.execute(_GIVE_UP, {"message_id": message_id, "why": failure})


def give_up_expired(writer: Writer, at: datetime) -> None:
    """Give up whatever has lost its use; no row that somebody works on."""
    writer.execute(_GIVE_UP_EXPIRED, {"at": at})


def record_receipts(writer: Writer, provider: str, receipts: Sequence[Receipt], at: datetime) -> int:
    """Note what the carrier reports, of the messages it was asked to send; the first word on each stands.

    Returns:
        How many messages the word was new for.
    """
    return sum(
        len(
            writer.execute(
                _RECEIPT_BY_ID if isinstance(receipt.key, UUID) else _RECEIPT_BY_PROVIDER_ID,
                {"key": receipt.key, "by": provider, "arrived": receipt.arrived, "at": at},
            ).all()
        )
        for receipt in receipts
    )


def show(writer: Writer, message: TextMessage, text: str, at: datetime) -> None:
    """Show a message in the inbox; once, however often it comes."""
    masked = f"{message.phone[:6]}****{message.phone[-4:]}"
    writer.execute(_SHOW, {"id": message.id, "phone": masked, "text": text, "arrived_at": at})


def shown(reader: Reader, limit: int) -> list[Shown]:
    """The inbox, newest first."""
    return [Shown(*row) for row in reader.execute(_INBOX, {"most": limit})]


def is_shown(reader: Reader, message_id: UUID) -> bool:
    """Whether the inbox has this message."""
    return reader.execute(_IN_INBOX, {"message_id": message_id}).first() is not None


_OUT, _IN = (SQLModel.metadata.tables[table.__tablename__] for table in (tables.SmsMessage, tables.SmsInbox))
_ONE = _OUT.c.id == bindparam("message_id")
_WIPED = {"phone": null(), "code": null()}
_ENQUEUE = insert(_OUT).on_conflict_do_nothing()
_LOCK = (
    select(
        *(_OUT.c[name] for name in ("kind", "case_id", "phone", "code", "state", "failure")),
        *(_OUT.c[name] for name in ("send_before", "provider", "asked_at")),
    )
    .where(_ONE)
    .with_for_update()
)
_ASK = update(_OUT).where(_ONE).values(state="unknown", provider=bindparam("by"), asked_at=bindparam("at"))
_WAIT = update(_OUT).where(_ONE, _OUT.c.state == "unknown").values(state="pending")
_SENT = (
    update(_OUT)
    .where(_ONE)
    .values(
        state=case((_OUT.c.state == "unknown", bindparam("new_state")), else_=_OUT.c.state),
        provider_id=func.coalesce(bindparam("new_provider_id"), _OUT.c.provider_id),
        sent_at=bindparam("at"),
        **_WIPED,
    )
)
_GIVE_UP = (
    update(_OUT)
    .where(_ONE, _OUT.c.state.in_(("pending", "unknown")))
    .values(
        state=case((bindparam("why", type_=_OUT.c.failure.type).is_(None), _OUT.c.state), else_="failed"),
        failure=bindparam("why", type_=_OUT.c.failure.type),
        **_WIPED,
    )
)
_EXPIRED = (
    select(_OUT.c.id)
    .where(_OUT.c.phone.is_not(None), _OUT.c.send_before <= bindparam("at"))
    .with_for_update(skip_locked=True)
)
_GIVE_UP_EXPIRED = (
    update(_OUT)
    .where(_OUT.c.id.in_(_EXPIRED))
    .values(
        state=case((_OUT.c.state == "pending", "failed"), else_=_OUT.c.state),
        failure=case((_OUT.c.state == "pending", "expired"), else_=_OUT.c.failure),
        **_WIPED,
    )
)
_RECEIPT = (
    update(_OUT)
    .where(_OUT.c.provider == bindparam("by"), _OUT.c.state.in_(("unknown", "sent")))
    .values(
        state=case((bindparam("arrived"), "delivered"), else_="failed"),
        failure=case((bindparam("arrived"), null()), else_="undelivered"),
        receipt_at=bindparam("at"),
        **_WIPED,
    )
    .returning(_OUT.c.id)
)
_RECEIPT_BY_ID = _RECEIPT.where(_OUT.c.id == bindparam("key"))
_RECEIPT_BY_PROVIDER_ID = _RECEIPT.where(_OUT.c.provider_id == bindparam("key"))
_SHOW = insert(_IN).on_conflict_do_nothing()
_INBOX = (
    select(*(_IN.c[name] for name in Shown._fields))
    .order_by(_IN.c.arrived_at.desc(), _IN.c.id)
    .limit(bindparam("most"))
)
_IN_INBOX = select(_IN.c.id).where(_IN.c.id == bindparam("message_id"))
