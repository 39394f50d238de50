"""Keys that sign answers to other systems: Ed25519 (RFC 8037), in one file as a JSON Web Key Set (RFC 7517).

The first key signs; all are published, so that answers signed before a rotation (轮换) can still be verified.
"""

import json
import os
import secrets
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

ALGORITHM = "Ed25519"


class AnswerKeysError(Exception):
    """The file is missing or malformed; the text names it and holds no key."""


class AnswerKeys:
    """The keys of one deployment."""

    def __init__(self, keys: list[OKPKey]) -> None:
        self._keys = keys

    @classmethod
    def load(cls, path: Path | None) -> "AnswerKeys":
        """Read the file; without one there are no keys, and nothing can be signed.

        Raises:
            AnswerKeysError: It is missing or malformed.
        """
        if path is None:
            return cls([])
        try:
            return cls([_key(data) for data in json.loads(path.read_bytes())["keys"]])
        except (OSError, JoseError, ValueError, TypeError, KeyError) as error:
            what = f"{path} ({type(error).__name__})"
            raise AnswerKeysError(
                f"无法读取回答签名密钥 / Cannot read the keys that sign answers: {what}"
            ) from None

    def __bool__(self) -> bool:
        """Whether answers can be signed."""
        return bool(self._keys)

    def sign(self, payload: bytes, kind: str) -> str:
        """A compact JWS (RFC 7515) by the first key.

        Args:
            payload: What is signed.
            kind: ``typ`` of its header, so that no answer can pass for another kind of token.
        """
        key = self._keys[0]
        header = {"alg": ALGORITHM, "kid": key.kid, "typ": kind}
        return jws.serialize_compact(header, payload, key, algorithms=[ALGORITHM])

    def published(self) -> list[dict[str, Any]]:
        """The public halves."""
        return [{**key.as_dict(private=False), "use": "sig", "alg": ALGORITHM} for key in self._keys]


def rotate(path: Path) -> str:
    """Make a new key and put it first in the file, which is made where it is missing; its key id.

    Raises:
        AnswerKeysError: The file is malformed; it is left as it is.
    """
    old = AnswerKeys.load(path)._keys if path.exists() else []
    key = OKPKey.generate_key("Ed25519", auto_kid=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"keys": [each.as_dict(private=True) for each in (key, *old)]}, file, indent=2)
    fresh.replace(path)
    return key.kid or ""


def _key(data: dict[str, Any]) -> OKPKey:
    key = OKPKey.import_key(data)
    if key.curve_name != "Ed25519" or not key.is_private:
        raise ValueError("no private Ed25519 key")
    key.ensure_kid()
    return key
