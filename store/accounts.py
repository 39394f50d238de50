"""The mirror of accounts and units: what the HGR service system's last token said of them."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from rules.engine.persons import normalise_name, normalise_phone
from rules.engine.procedures import Matching
from schemas.errors import Refusal
from schemas.tables.accounts import Account, Unit
from store.database import Writer
from store.encryption import ColumnCipher


class Profile(NamedTuple):
    """What a token says of a person; empty text where it says nothing. Never printed: name and phone."""

    account_id: UUID
    name: str
    phone: str
    unit_code: str
    unit_name: str
    real_name_verified: bool
    unit_authorised: bool
    unit_administrator: bool
    said_at: datetime | None = None
    """When the token was issued; None: now."""


class Indexes(NamedTuple):
    """Blind indexes of a person; None for what the rules cannot compare, such as a foreign phone."""

    name_index: bytes | None = None
    phone_index: bytes | None = None
    person_index: bytes | None = None


def indexes(cipher: ColumnCipher, name: str, phone: str, matching: Matching) -> Indexes:
    """Index a person as legacy registrants are indexed."""
    normal_name, normal_phone = (
        _or_none(normalise_name, name, matching),
        _or_none(normalise_phone, phone, matching),
    )
    return Indexes(
        cipher.blind_index("name", normal_name) if normal_name else None,
        cipher.blind_index("phone", normal_phone) if normal_phone else None,
        cipher.person_index(normal_name, normal_phone) if normal_name and normal_phone else None,
    )


def _or_none(normalise: Callable[[str, Matching], str], text: str, matching: Matching) -> str | None:
    try:
        return normalise(text, matching)
    except Refusal:
        return None


def sign_in(
    writer: Writer, cipher: ColumnCipher, profile: Profile, at: datetime, matching: Matching | None = None
) -> None:
    """Bring the mirror of one account, and of its unit, up to date.

    Args:
        writer: The transaction.
        cipher: Encrypts and indexes.
        profile: What the token says.
        at: Now.
        matching: How persons are compared; without it the account is not indexed.
    """
    if profile.unit_code:
        unit = insert(Unit).values(code=profile.unit_code, name=profile.unit_name)
        writer.execute(unit.on_conflict_do_update(index_elements=["code"], set_={"name": unit.excluded.name}))
    phone = profile.phone
    indexed = indexes(cipher, profile.name, phone, matching) if matching else Indexes()
    values = {
        "unit_code": profile.unit_code or None,
        "name": cipher.encrypt(profile.name, "account", "name", profile.account_id) if profile.name else None,
        "phone": cipher.encrypt(phone, "account", "phone", profile.account_id) if phone else None,
        **indexed._asdict(),
        "real_name_verified": profile.real_name_verified,
        "unit_authorised": profile.unit_authorised,
        "unit_administrator": profile.unit_administrator,
        "signed_in_at": at,
    }
    account = insert(Account).values(id=profile.account_id, **values)
    writer.execute(account.on_conflict_do_update(index_elements=["id"], set_=values))
    said = {name: values[name] for name in ("unit_code", "real_name_verified", "unit_authorised")}
    since = min(profile.said_at or at, at)
    writer.connection().execute(
        _REMEMBER, {"account_id": profile.account_id, "since": since, "at": at, **said}
    )


_REMEMBER = text("""
    INSERT INTO account_standing
           (account_id, valid_from, recorded_at, unit_code, real_name_verified, unit_authorised)
    SELECT :account_id, :since, :at, CAST(:unit_code AS varchar), :real_name_verified, :unit_authorised
    WHERE NOT EXISTS (
        SELECT FROM (
            SELECT unit_code, real_name_verified, unit_authorised FROM account_standing
            WHERE account_id = :account_id AND valid_from <= :since
            ORDER BY valid_from DESC, recorded_at DESC LIMIT 1
        ) AS known
        WHERE known.unit_code IS NOT DISTINCT FROM :unit_code
          AND known.real_name_verified = :real_name_verified AND known.unit_authorised = :unit_authorised
    )
    ON CONFLICT DO NOTHING
""")
"""What only repeats what is known of that instant is not written down again."""
