"""Claims of legacy backups: whom a typed name and phone mean, who may decide, and what the API shows."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func
from sqlmodel import col, select, tuple_
from sqlmodel.sql.expression import SelectOfScalar

from rules.engine.persons import normalise_unit
from rules.engine.procedures import ClaimingProcedure, Matching
from schemas.errors import Refusal
from schemas.tables.accounts import Account, Unit
from schemas.tables.backups import Backup
from schemas.tables.claims import Claim, ClaimBase, ClaimConfirmation, UnitClaim
from schemas.tables.legacy import LegacyRegistrant
from store import limits
from store.database import Reader, Writer
from store.encryption import ColumnCipher
from store.legacy import Registrant
from store.limits import Budget, Window

AnyClaim = TypeVar("AnyClaim", Claim, UnitClaim)
DAY_ENDS_IN = ZoneInfo("Asia/Shanghai")
"""The day of the budget is the one of the platform's users."""


class Person(NamedTuple):
    """An account as its row says at this moment, the row held until the transaction ends.

    Attributes:
        unit_code: Empty without a unit.
        may_hold: Real-name checked and authorised by its unit: backups may be moved to it.
        may_administer: Likewise, and an administrator of that unit.
    """

    id: UUID
    unit_code: str
    may_hold: bool
    may_administer: bool

    def belongs_to(self, unit_code: str) -> bool:
        """Whether backups may be moved to it for this unit."""
        return self.may_hold and self.unit_code == unit_code

    def administers(self, unit_code: str) -> bool:
        """Whether it decides for this unit."""
        return self.may_administer and self.unit_code == unit_code


def count(
    writer: Writer, policy: ClaimingProcedure, claim: ClaimBase, operation_id: UUID, at: datetime
) -> bool:
    """Count a request for a code against every limit, and against the day's budget.

    Returns:
        Whether operators are to be told that the budget runs out.

    Raises:
        Refusal: ``too_many_claims``; then nothing is counted.
    """
    keys = {
        "number": f"number:{claim.phone_index.hex()}",
        "account": f"account:{claim.account_id}",
        "address": f"address:{claim.address_index.hex()}",
        "unit": f"unit:{claim.unit_code}",
    }
    windows = [Window(keys[limit.per], limit.most, limit.within) for limit in policy.limits]
    limits.count(writer, windows, operation_id, at)
    midnight = at.astimezone(DAY_ENDS_IN).replace(hour=0, minute=0, second=0, microsecond=0)
    most = policy.daily_budget.messages
    alarm_at = ceil(most * policy.daily_budget.alarm_at)
    budget = Budget(midnight.date(), most, alarm_at, ends_at=midnight + timedelta(days=1))
    return limits.spend(writer, budget, at)


# --- whom it means ----------------------------------------------------------------------------------


def by_unit(
    writer: Writer, found: Sequence[Registrant], rules: Matching
) -> dict[str | None, list[Registrant]]:
    """Legacy registrants by the code of their unit on record.

    Where the old platform had the unit's name only, it is the unit that has this name here; None where no
    unit has it.
    """
    codes: dict[str, str] = {}
    if any(each.unit_code is None for each in found):
        units = writer.exec(select(Unit.name, Unit.code)).all()
        codes = {normalise_unit(name, rules): code for name, code in units}
    grouped: dict[str | None, list[Registrant]] = {}
    for each in found:
        code = each.unit_code or codes.get(normalise_unit(each.unit_name or "", rules))
        grouped.setdefault(code, []).append(each)
    return grouped


def count_backups(session: Reader | Writer, group: Collection[Registrant]) -> tuple[int, int]:
    """How many backups of legacy registrants nobody holds, and how many somebody does."""
    unheld = func.count().filter(col(Backup.delegate_id).is_(None))
    query = select(unheld, func.count()).where(col(Backup.registrant_id).in_([each.id for each in group]))
    none, total = session.exec(query).one()
    return none, total - none


def lock_accounts(writer: Writer, ids: Iterable[UUID]) -> dict[UUID, Person]:
    """Accounts as they are now, and stay until the transaction ends; the mirror counts, not a token."""
    query = select(Account).where(col(Account.id).in_(set(ids))).order_by(col(Account.id))
    rows = writer.exec(query.with_for_update(read=True)).all()
    return {row.id: _person(row) for row in rows}


def phone_on_record(writer: Writer, cipher: ColumnCipher, registrant_id: UUID) -> str:
    """The phone of a legacy registrant, E.164."""
    row = writer.get_one(LegacyRegistrant, registrant_id)
    return cipher.decrypt(row.phone, "legacy_registrant", "phone", registrant_id)


def phone_of(writer: Writer, cipher: ColumnCipher, account_id: UUID) -> str:
    """The phone of an account, E.164.

    Raises:
        Refusal: ``real_name_missing``: no phone without a real-name check.
    """
    phone = writer.get_one(Account, account_id).phone
    if phone is None:
        raise Refusal("real_name_missing")
    return cipher.decrypt(phone, "account", "phone", account_id)


def _person(row: Account) -> Person:
    may_hold = row.real_name_verified and row.unit_authorised and row.unit_code is not None
    return Person(row.id, row.unit_code or "", may_hold, may_hold and row.unit_administrator)


# --- confirmations by units on record -----------------------------------------------------------------


def waiting_confirmations(session: Reader | Writer, claim_id: UUID) -> Sequence[ClaimConfirmation]:
    """What units have not decided yet."""
    query = select(ClaimConfirmation).where(
        ClaimConfirmation.claim_id == claim_id, ClaimConfirmation.state == "waiting"
    )
    return session.exec(query).all()


def decisions(session: Reader | Writer, claim_id: UUID) -> set[str]:
    """What the units on record said, or have not said yet."""
    query = select(ClaimConfirmation.state).where(ClaimConfirmation.claim_id == claim_id)
    return set(session.exec(query))


def administrators(writer: Writer, unit_code: str) -> Sequence[UUID]:
    """The administrators of a unit."""
    query = select(Account.id).where(
        Account.unit_code == unit_code, col(Account.unit_administrator), col(Account.unit_authorised)
    )
    return writer.exec(query.order_by(col(Account.id))).all()


# --- what the API shows ----------------------------------------------------------------------------


def own_claim(reader: Reader, account_id: UUID, claim_id: UUID) -> Claim:
    """A claim by this account.

    Raises:
        Refusal: ``not_found``, alike for what does not exist and for what is another's.
    """
    claim = reader.get(Claim, claim_id)
    if claim is None or claim.account_id != account_id or claim.state == "stored":
        raise Refusal("not_found")
    return claim


def own_claims(
    reader: Reader, account_id: UUID, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Claim]:
    """A page of an account's claims, newest first."""
    query = select(Claim).where(Claim.account_id == account_id, Claim.state != "stored")
    return _page(reader, query, Claim, after, limit)


def unit_claim(reader: Reader, unit_code: str, claim_id: UUID) -> UnitClaim:
    """A claim for this unit.

    Raises:
        Refusal: ``not_found``.
    """
    claim = reader.get(UnitClaim, claim_id)
    if claim is None or claim.unit_code != unit_code or claim.state == "stored":
        raise Refusal("not_found")
    return claim


def unit_claims(
    reader: Reader, unit_code: str, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[UnitClaim]:
    """A page of the claims for a unit, newest first."""
    query = select(UnitClaim).where(UnitClaim.unit_code == unit_code, UnitClaim.state != "stored")
    return _page(reader, query, UnitClaim, after, limit)


def asked_confirmations(
    reader: Reader, unit_code: str, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[tuple[ClaimConfirmation, Claim, Account]]:
    """A page of what a unit is asked to decide, the oldest first, each with its claim and claimant."""
    query = (
        select(ClaimConfirmation, Claim, Account)
        .join(Claim, col(Claim.id) == ClaimConfirmation.claim_id)
        .join(Account, col(Account.id) == Claim.account_id)
        .where(ClaimConfirmation.unit_code == unit_code, ClaimConfirmation.state == "waiting")
        .order_by(col(ClaimConfirmation.asked_at), col(ClaimConfirmation.claim_id))
        .limit(limit)
    )
    if after is not None:
        place = tuple_(col(ClaimConfirmation.asked_at), col(ClaimConfirmation.claim_id))
        query = query.where(place > after)
    return reader.exec(query).all()


def asked_of(reader: Reader, unit_code: str, claim_id: UUID) -> ClaimConfirmation:
    """What a unit was asked about a claim.

    Raises:
        Refusal: ``not_found``.
    """
    asked = reader.get(ClaimConfirmation, (claim_id, unit_code))
    if asked is None:
        raise Refusal("not_found")
    return asked


def unit_name(reader: Reader, unit_code: str | None) -> str:
    """The name of a unit; empty without one."""
    unit = reader.get(Unit, unit_code) if unit_code else None
    return unit.name if unit else ""


def is_member(reader: Reader, unit_code: str, account_id: UUID) -> bool:
    """Whether an account may hold backups for a unit."""
    row = reader.get(Account, account_id)
    return row is not None and _person(row).may_hold and row.unit_code == unit_code


def members(reader: Reader, unit_code: str, name_index: bytes) -> Sequence[Account]:
    """A unit's authorised people of one name."""
    query = select(Account).where(
        Account.unit_code == unit_code,
        Account.name_index == name_index,
        col(Account.unit_authorised),
        col(Account.real_name_verified),
    )
    return reader.exec(query.order_by(col(Account.id))).all()


def _page(
    reader: Reader,
    query: SelectOfScalar[AnyClaim],
    table: type[AnyClaim],
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[AnyClaim]:
    key = (col(table.created_at), col(table.id))
    if after is not None:
        query = query.where(tuple_(*key) < after)
    return reader.exec(query.order_by(*(part.desc() for part in key)).limit(limit)).all()
