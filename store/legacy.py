"""Legacy registrants: found by who they were."""

from typing import NamedTuple
from uuid import UUID, uuid5

from sqlalchemy import Connection, bindparam, select
from sqlmodel import SQLModel

from rules.engine.persons import normalise_unit
from rules.engine.procedures import Matching
from schemas.tables.legacy import LegacyRegistrant
from store.encryption import ColumnCipher

_REGISTRANTS = SQLModel.metadata.tables[str(LegacyRegistrant.__tablename__)]
_SPACE = UUID("7d7f1c0e-2a43-4f57-9a3e-5b1f6a0c2d11")
"""Name space of their ids; any would do, so it never changes."""


class Registrant(NamedTuple):
    """A legacy registrant (原系统注册人) without name and phone.

    Attributes:
        unit_code: The unit on record; None where the old platform had only its name.
        unit_name: None where it had only the code.
    """

    id: UUID
    unit_code: str | None
    unit_name: str | None

    def of_unit(self, code: str, name: str, rules: Matching) -> bool:
        """Whether this is the unit on record: by its code, or by its name where nothing else is on record."""
        if self.unit_code is not None:
            return self.unit_code == code
        return self.unit_name is not None and normalise_unit(self.unit_name, rules) == normalise_unit(
            name, rules
        )


def find_registrants(connection: Connection, person_index: bytes) -> list[Registrant]:
    """All registrants of one name and phone, of whatever unit."""
    return [Registrant(*row) for row in connection.execute(_OF_PERSON, {"person_index": person_index})]


def registrant_id(cipher: ColumnCipher, name: str, phone: str, unit: str) -> UUID:
    """Id that follows from normalised name, E.164 phone and unit (code, or normalised name)."""
    return uuid5(_SPACE, cipher.blind_index("registrant", f"{name}\x00{phone}\x00{unit}").hex())


_OF_PERSON = (
    select(_REGISTRANTS.c.id, _REGISTRANTS.c.unit_code, _REGISTRANTS.c.unit_name)
    .where(_REGISTRANTS.c.person_index == bindparam("person_index"))
    .order_by(_REGISTRANTS.c.id)
)
