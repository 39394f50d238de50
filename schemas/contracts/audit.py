"""What crosses Temporal for tree heads: counts; no person.

Fields are only ever added, with a default (see `schemas.contracts.backups`).
"""

from schemas.contracts.backups import Message


class SignTreeHead(Message):
    """Seal what waits and sign the tree head: whatever was committed before this is asked is under it."""


class TreeHeadSigned(Message):
    """The newest head: new, or the one before where nothing has happened since."""

    size: int
