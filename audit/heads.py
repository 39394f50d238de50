"""Signed tree heads (签名树头): what the trail was at one moment, as a JSON Web Signature (RFC 7515).

Signed by the keys that sign answers to other systems; ``typ`` keeps the one from passing for the other.
"""

import json
from collections.abc import Mapping
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from audit.records import canonical

KIND = "hgrip-tree-head"
"""``typ`` of the signature's header."""
ALGORITHM = "Ed25519"
LONGEST = 4096
"""Characters of the longest head that is looked at."""


class HeadError(Exception):
    """It is no tree head, or none of these keys has signed it."""


class TreeHead(BaseModel):
    """What is signed.

    Attributes:
        size: Sealed events.
        root: Of the tree over them, hex.
        chain: That of the last seal, hex.
        at: When, as records have it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    size: int = Field(ge=1)
    root: str = Field(pattern="^[0-9a-f]{64}$")
    chain: str = Field(pattern="^[0-9a-f]{64}$")
    at: str

    def payload(self) -> bytes:
        """The bytes that are signed."""
        return canonical(self.model_dump())


def key_set(document: Mapping[str, Any]) -> KeySet:
    """Public keys, as ``/.well-known/jwks.json`` has them (RFC 7517).

    Raises:
        HeadError: It is no key set, or an empty one.
    """
    try:
        keys = list(document["keys"])
        if keys:
            return KeySet.import_key_set({"keys": keys})
    except (JoseError, ValueError, TypeError, KeyError):
        pass
    raise HeadError


def read_head(signed: str, keys: KeySet) -> TreeHead:
    """Check a signature and read what it is over.

    Raises:
        HeadError: See there.
    """
    if len(signed) > LONGEST:
        raise HeadError
    try:
        found = jws.deserialize_compact(signed, keys, algorithms=[ALGORITHM])
        if found.headers().get("typ") != KIND:
            raise HeadError
        return TreeHead.model_validate(json.loads(found.payload))
    except (JoseError, ValidationError, ValueError, TypeError, KeyError):
        raise HeadError from None
