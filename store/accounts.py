"""The mirror of accounts and units: what the HGR service system's last token said of them."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

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


def sign_in(writer: Writer, cipher: ColumnCipher, profile: Profile, at: datetime) -> None:
    """Bring the mirror of one account, and of its unit, up to date."""
    if profile.unit_code:
        unit = insert(Unit).values(code=profile.unit_code, name=profile.unit_name)
        writer.execute(unit.on_conflict_do_update(index_elements=["code"], set_={"name": unit.excluded.name}))
    phone = profile.phone
    values = {
        "unit_code": profile.unit_code or None,
        "name": cipher.encrypt(profile.name, "account", "name", profile.account_id) if profile.name else None,
        "name_index": cipher.blind_index("name", profile.name) if profile.name else None,
        "phone": cipher.encrypt(phone, "account", "phone", profile.account_id) if phone else None,
        "phone_index": cipher.blind_index("phone", phone) if phone else None,
        "real_name_verified": profile.real_name_verified,
        "unit_authorised": profile.unit_authorised,
        "unit_administrator": profile.unit_administrator,
        "signed_in_at": at,
    }
    account = insert(Account).values(id=profile.account_id, **values)
    writer.execute(account.on_conflict_do_update(index_elements=["id"], set_=values))
