"""Claims of legacy backups, the codes that prove them, and what is counted against guessing."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, String
from sqlmodel import Field, SQLModel

from schemas.claims import ClaimState


class ClaimBase(SQLModel):
    """What both kinds of claim hold. Of the registrant there are keyed indexes only, no name and no phone."""

    id: UUID = Field(primary_key=True, description="Follows from account and Idempotency-Key")
    account_id: UUID = Field(foreign_key="account.id", description="Who claims")
    unit_code: str = Field(foreign_key="unit.code", description="Of that account when it claimed")
    person_index: bytes = Field(description="Blind index of the name and phone that were typed")
    phone_index: bytes = Field(description="Blind index of the phone alone: what is limited per number")
    address_index: bytes = Field(description="Blind index of the address the request came from")
    state: ClaimState = Field(default="stored", sa_type=String)
    moved: int = 0
    already_moved: int = 0
    drafts_left: int = 0
    reason: str | None = Field(default=None, description="Why nothing moved, for support; a code")
    created_at: datetime = Field(sa_type=DateTime(timezone=True))
    due_at: datetime | None = Field(
        default=None, sa_type=DateTime(timezone=True), description="When the present state ends by itself"
    )
    closed_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class Claim(ClaimBase, table=True):
    """A claim by a person. Until a code has proven it, nothing in it that is shown depends on a match."""

    __tablename__ = "claim"
    __table_args__ = (Index("claim_by_account", "account_id", "created_at", "id"),)


class ClaimConfirmation(SQLModel, table=True):
    """A proven claim on what is on record of another unit: that unit's administrator decides (单位确认)."""

    __tablename__ = "claim_confirmation"
    __table_args__ = (Index("claim_confirmation_by_unit", "unit_code", "asked_at", "claim_id"),)

    claim_id: UUID = Field(primary_key=True, foreign_key="claim.id")
    unit_code: str = Field(primary_key=True, max_length=18, description="The unit on record")
    backups: int = Field(description="Backups that waited to be moved when it was asked")
    state: str = Field(default="waiting", description="waiting, confirmed, declined or lapsed")
    asked_at: datetime = Field(sa_type=DateTime(timezone=True))
    decide_by: datetime = Field(sa_type=DateTime(timezone=True))
    decided_by: UUID | None = Field(default=None, foreign_key="account.id")
    decided_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class UnitClaim(ClaimBase, table=True):
    """A claim by a unit's administrator for one of its people."""

    __tablename__ = "unit_claim"
    __table_args__ = (Index("unit_claim_by_unit", "unit_code", "created_at", "id"),)

    delegate_id: UUID = Field(foreign_key="account.id", description="Who is to hold the backups")
    backups: int = Field(default=0, description="Backups that wait to be moved, when it was opened")
    approver_id: UUID | None = Field(default=None, foreign_key="account.id", description="The second one")
    decided_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    move_id: UUID | None = Field(default=None, description="The operation that moved; what a reversal undoes")
    reversal_id: UUID | None = Field(default=None, foreign_key="claim_reversal.id")


class ClaimReversal(SQLModel, table=True):
    """Why somebody wants a unit's claim undone (撤销); nothing came of it unless the claim refers to it."""

    __tablename__ = "claim_reversal"

    id: UUID = Field(primary_key=True, description="That of the operation")
    account_id: UUID = Field(foreign_key="account.id")
    reason: bytes = Field(description="Encrypted: people write names into it")
    stored_at: datetime = Field(sa_type=DateTime(timezone=True))


class VerificationCode(SQLModel, table=True):
    """The latest code (验证码) of a claim. Without a match there is a row as well, which nothing matches.

    The tries are those of the claim, whatever codes it had: a new code gives no new tries.
    """

    __tablename__ = "verification_code"

    claim_id: UUID = Field(primary_key=True)
    seq: int = Field(default=0, description="How many codes the claim has had")
    asked: int = Field(default=0, description="How many have been asked for, and counted")
    digest: bytes | None = Field(default=None, description="Keyed HMAC of claim, seq and code")
    expires_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    resend_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    tries: int = 0
    used_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class CountedRequest(SQLModel, table=True):
    """One request for a code, counted under each key that is limited; gone once no window reaches it."""

    __tablename__ = "counted_request"

    key: str = Field(primary_key=True, description="Kind and account, unit code or keyed index; no person")
    at: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    operation_id: UUID = Field(primary_key=True)


class MessageDay(SQLModel, table=True):
    """What was spent of one day's budget of messages."""

    __tablename__ = "message_day"

    day: date = Field(primary_key=True)
    counted: int
    alarmed_at: datetime | None = Field(
        default=None, sa_type=DateTime(timezone=True), description="When operators were told of it"
    )
