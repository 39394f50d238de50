"""Keys and signatures of those who publish releases: Ed25519 (RFC 8032), trusted keys in one file."""

import base64
import binascii
import json
import stat
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, PlainSerializer, PlainValidator, ValidationError, model_validator

from rules.engine.model import Part

KEY_BYTES = 32
"""Length of a private and of a public key."""

Role = Literal["author", "approver"]
"""Author (起草人): proposes. Approver (审批人): approves and sets the day. Nobody is both for one release."""


class SignersError(Exception):
    """A file of keys is missing, malformed or open to others; the text names the file, never a key."""


def _decoded(value: object) -> bytes:
    try:
        raw = base64.b64decode(value, validate=True) if isinstance(value, str) else value
    except binascii.Error:
        raw = None
    if not isinstance(raw, bytes) or len(raw) != KEY_BYTES:
        raise ValueError(f"a key is {KEY_BYTES} bytes in base64")
    return raw


def _encoded(key: bytes) -> str:
    return base64.b64encode(key).decode("ascii")


Key = Annotated[bytes, PlainValidator(_decoded), PlainSerializer(_encoded)]
SignerId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,39}$", description="A handle, no person's name")]


class Signer(Part):
    """One trusted public key.

    Attributes:
        public_key: Ed25519, base64 in the file.
        roles: What the key may sign as.
        retired_on: First day (Asia/Shanghai) from which it signs nothing new; what it signed before stands.
    """

    public_key: Key
    roles: tuple[Role, ...] = Field(min_length=1)
    retired_on: date | None = None


class Signers(Part):
    """The keys a deployment trusts, by id.

    Whoever leaves is retired, not removed: the releases they signed stay proven.
    """

    signers: dict[SignerId, Signer]

    @model_validator(mode="after")
    def _one_key_each(self) -> Self:
        keys = [signer.public_key for signer in self.signers.values()]
        if len(set(keys)) < len(keys):
            raise ValueError("two ids have the same key, so that two pairs of eyes would be one")
        return self

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file of trusted keys.

        Raises:
            SignersError: It is missing or malformed.
        """
        return cls.model_validate_json(_read(path, cls))

    def verify(self, signer: str, statement: bytes, signature: bytes) -> bool:
        """Whether a trusted key made this signature."""
        if signer not in self.signers:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.signers[signer].public_key).verify(signature, statement)
        except InvalidSignature:
            return False
        return True


class _KeyFile(Part):
    id: SignerId
    private_key: Key


class SigningKey:
    """A private key and the id under which its public half is trusted. Its repr shows the id alone."""

    def __init__(self, id: str, private_key: Ed25519PrivateKey) -> None:  # noqa: A002
        self.id = id
        self._private_key = private_key

    def __repr__(self) -> str:
        return f"SigningKey({self.id!r})"

    @classmethod
    def generate(cls, id: str) -> Self:  # noqa: A002
        """A new key from the operating system's randomness."""
        return cls(id, Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a private key file.

        Raises:
            SignersError: It is missing or malformed, or others than its owner may read it.
        """
        content = _KeyFile.model_validate_json(_read(path, _KeyFile))
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SignersError(
                "私钥文件可被他人读取，请先执行 chmod 600 / "
                f"Others may read this private key; chmod 600 first: {path}"
            )
        return cls(content.id, Ed25519PrivateKey.from_private_bytes(content.private_key))

    @property
    def public_key(self) -> bytes:
        """The public half."""
        return self._private_key.public_key().public_bytes_raw()

    def sign(self, statement: bytes) -> bytes:
        """64 bytes of signature."""
        return self._private_key.sign(statement)

    def file_content(self) -> str:
        """What the private key file holds; never print it."""
        content = _KeyFile(id=self.id, private_key=self._private_key.private_bytes_raw())
        return content.model_dump_json(indent=2)


def canonical(content: object) -> bytes:
    """Canonical JSON: sorted keys, no blanks, UTF-8."""
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _read(path: Path, model: type[Part]) -> bytes:
    """A file that fits a model."""
    try:
        content = path.read_bytes()
        model.model_validate_json(content)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except ValidationError as error:
        reason = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    else:
        return content
    raise SignersError(f"无法读取签名密钥文件 / Cannot read the file of signing keys {path}: {reason}")
