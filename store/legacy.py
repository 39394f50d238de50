"""Legacy registrants: found by who they were; and where legacy backups stand."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID, uuid5

from sqlalchemy import Connection, bindparam, text
from sqlmodel import SQLModel, col, select

from rules.engine.persons import normalise_unit
from rules.engine.procedures import Matching
from schemas.tables.legacy import LegacyImportFault, LegacyRegistrant
from store.database import Reader
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


class Standing(NamedTuple):
    """Where legacy backups stand, in numbers."""

    registrants: int
    held: int
    unheld: int
    drafts: int
    imports: int
    unfinished: int


def find_registrants(connection: Connection, person_index: bytes) -> list[Registrant]:
    """All registrants of one name and phone, of whatever unit."""
    return [Registrant(*row) for row in connection.execute(_OF_PERSON, {"person_index": person_index})]


def registrant_id(cipher: ColumnCipher, name: str, phone: str, unit: str) -> UUID:
    """Id that follows from normalised name, E.164 phone and unit (code, or normalised name)."""
    return uuid5(_SPACE, cipher.blind_index("registrant", f"{name}\x00{phone}\x00{unit}").hex())


def standing(reader: Reader) -> Standing:
    """Count everything."""
    return Standing(*reader.connection().execute(_STANDING).one())


def import_faults(reader: Reader, digest: str) -> Iterable[LegacyImportFault]:
    """Rows of a file that were not imported, by line."""
    faults = select(LegacyImportFault).where(LegacyImportFault.digest == digest)
    return reader.exec(faults.order_by(col(LegacyImportFault.line)).execution_options(yield_per=10_000))


_STANDING = text(
    """
    SELECT (SELECT count(*) FROM legacy_registrant),
        count(*) FILTER (WHERE delegate_id IS NOT NULL),
        count(*) FILTER (WHERE delegate_id IS NULL),
        (SELECT count(*) FROM legacy_draft),
        (SELECT count(*) FROM legacy_import),
        (SELECT count(*) FROM legacy_import WHERE finished_at IS NULL)
    FROM backup WHERE registrant_id IS NOT NULL
    """
)
_OF_PERSON = (
    select(_REGISTRANTS.c.id, _REGISTRANTS.c.unit_code, _REGISTRANTS.c.unit_name)
    .where(_REGISTRANTS.c.person_index == bindparam("person_index"))
    .order_by(_REGISTRANTS.c.id)
)
