"""Column encryption: AES-256-GCM bound to its place, and keyed blind indexes for exact matches."""

import hashlib
import hmac
import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wire.keys import KeyRing

_VERSION = b"\x01"
_NONCE = 12


class UndecipherableError(Exception):
    """A stored value that its key does not open: wrong key, wrong place, or altered."""


class ColumnCipher:
    """Encrypts the personal columns.

    A value is ``version ‖ length of key id ‖ key id ‖ nonce ‖ ciphertext``; its additional data are table,
    column and row, so that a value copied elsewhere does not decrypt.

    Args:
        keys: Its `column` keys encrypt, its `index` key makes the blind indexes.
    """

    def __init__(self, keys: KeyRing) -> None:
        self._ciphers = {key_id: AESGCM(keys.column.key(key_id)) for key_id in keys.column.keys}
        self._primary = keys.column.primary
        self._index_key = keys.index.get_secret_value()

    def encrypt(self, value: str, table: str, column: str, row: UUID) -> bytes:
        """Encrypt one value for one place."""
        nonce = os.urandom(_NONCE)
        key_id = self._primary.encode()
        sealed = self._ciphers[self._primary].encrypt(nonce, value.encode(), _place(table, column, row))
        return _VERSION + bytes([len(key_id)]) + key_id + nonce + sealed

    def decrypt(self, value: bytes, table: str, column: str, row: UUID) -> str:
        """Decrypt one value of one place.

        Raises:
            UndecipherableError: The key is unknown, the value altered or of another place.
        """
        start = 2 + value[1]
        cipher = self._ciphers.get(value[2:start].decode(errors="replace"))
        if value[:1] != _VERSION or cipher is None:
            raise UndecipherableError(f"{table}.{column}: unknown key or version")
        try:
            nonce, sealed = value[start : start + _NONCE], value[start + _NONCE :]
            return cipher.decrypt(nonce, sealed, _place(table, column, row)).decode()
        except InvalidTag:
            raise UndecipherableError(f"{table}.{column}: altered, or of another place") from None

    def blind_index(self, kind: str, value: str) -> bytes:
        """A keyed digest that is equal for equal values of one kind (``name``, ``phone``)."""
        return hmac.digest(self._index_key, f"{kind}\x00{value}".encode(), hashlib.sha256)

    def person_index(self, name: str, phone: str) -> bytes:
        """Blind index of a person: normalised name and E.164 phone together (`rules.engine.persons`)."""
        return self.blind_index("person", f"{name}\x00{phone}")


def _place(table: str, column: str, row: UUID) -> bytes:
    return f"{table}\x00{column}\x00{row}".encode()
