"""Accounts and units, mirrored from the HGR service system, which owns them (notice, section 一)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime
from sqlmodel import Field, SQLModel


class Unit(SQLModel, table=True):
    """An institution (单位) that authorises accounts."""

    __tablename__ = "unit"

    code: str = Field(primary_key=True, max_length=18, description="Social credit code, GB 32100-2015")
    name: str


class Account(SQLModel, table=True):
    """A natural person (账号) as the last verified token showed them.

    Name and phone are stored encrypted, with a keyed blind index each for exact matches;
    None before the real-name check. `person_index` is of both, and equal to that of the legacy registrant
    the person was; None for a phone that no legacy registrant can have.
    """

    __tablename__ = "account"

    id: UUID = Field(primary_key=True)
    unit_code: str | None = Field(default=None, foreign_key="unit.code", index=True)
    name: bytes | None = None
    name_index: bytes | None = Field(default=None, index=True)
    phone: bytes | None = None
    phone_index: bytes | None = Field(default=None, index=True)
    person_index: bytes | None = None
    real_name_verified: bool
    unit_authorised: bool
    unit_administrator: bool
    signed_in_at: datetime = Field(sa_type=DateTime(timezone=True))


class AccountStanding(SQLModel, table=True):
    """What the HGR service system said of an account, and since when: the history of `Account`.

    Both times are kept: what a token says holds since the token was issued (`valid_from`) and is known here
    since it was first shown (`recorded_at`). At an instant the latest statement up to then holds; of two of
    the same instant the one recorded last.
    """

    __tablename__ = "account_standing"

    account_id: UUID = Field(primary_key=True, foreign_key="account.id")
    valid_from: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    recorded_at: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    unit_code: str | None = None
    real_name_verified: bool
    unit_authorised: bool
