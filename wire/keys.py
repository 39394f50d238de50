"""The key ring (密钥环): every secret key of a deployment, in one file apart from the database."""

import base64
import json
import os
import secrets
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretBytes,
    ValidationError,
    model_validator,
)

KEY_BYTES = 32
"""Length of every key: AES-256 and HMAC-SHA-256."""


def _decoded(value: object) -> SecretBytes:
    if isinstance(value, str):
        value = SecretBytes(base64.b64decode(value, validate=True))
    if not isinstance(value, SecretBytes) or len(value.get_secret_value()) != KEY_BYTES:
        raise ValueError(f"a key is {KEY_BYTES} bytes in base64")
    return value


def _encoded(key: SecretBytes) -> str:
    return base64.b64encode(key.get_secret_value()).decode("ascii")


Key = Annotated[SecretBytes, PlainValidator(_decoded), PlainSerializer(_encoded)]
KeyId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,40}$")]


class KeysError(Exception):
    """The key file is missing or malformed, or a key id is not in it."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class KeySet(_Frozen):
    """Keys of one purpose: the primary one encrypts, all of them decrypt.

    Rotation (轮换) is ``rotated()``, a restart of API and workers, and keeping the old key for as long as
    anything encrypted with it is kept.
    """

    primary: KeyId
    keys: dict[KeyId, Key]

    @model_validator(mode="after")
    def _primary_exists(self) -> Self:
        if self.primary not in self.keys:
            raise ValueError("primary names no key")
        return self

    @classmethod
    def generate(cls) -> Self:
        """A set with one new random key."""
        return cls(primary="k1", keys={"k1": new_key()})

    def key(self, key_id: str) -> bytes:
        """The key with this id.

        Raises:
            KeysError: The ring has no such key; the text does not repeat the id, which may be forged.
        """
        try:
            return self.keys[key_id].get_secret_value()
        except KeyError:
            raise KeysError(
                "密钥环中没有此密钥编号，请把加密时所用的密钥补入密钥文件 / "
                "The key ring has no key with this id; add the key that encrypted the data to the key file"
            ) from None

    def rotated(self) -> Self:
        """The same set with a new primary key; the old ones stay."""
        key_id = f"k{len(self.keys) + 1}"
        return type(self)(primary=key_id, keys={**self.keys, key_id: new_key()})


class KeyRing(_Frozen):
    """All keys of a deployment.

    Attributes:
        codec: Encrypts what crosses Temporal.
        column: Encrypts personal columns of the database.
        index: Keys the blind indexes (HMAC) by which encrypted columns are found.
    """

    codec: KeySet
    column: KeySet
    index: Key

    @classmethod
    def generate(cls) -> Self:
        """A ring of new random keys."""
        return cls(codec=KeySet.generate(), column=KeySet.generate(), index=new_key())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a key file.

        Raises:
            KeysError: Missing, unreadable or malformed file; the text holds no key.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            reason = error.strerror or type(error).__name__
        except ValidationError as error:
            reason = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise KeysError(f"无法读取密钥文件 / Cannot read the key file {path}: {reason}")

    def save(self, path: Path) -> None:
        """Write the ring to a file that only its owner can read, replacing the old one in one step."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(self.model_dump(mode="json"), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)


def new_key() -> SecretBytes:
    """A random key from the operating system."""
    return SecretBytes(secrets.token_bytes(KEY_BYTES))
