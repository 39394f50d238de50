"""Encryption of everything that crosses Temporal."""

import functools
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from wire.keys import KeySet
from wire.readable import is_readable

ENCRYPTED = b"binary/encrypted"
REFUSED = b"binary/refused"
"""Encoding of what stands in for a plaintext payload: no converter reads it."""

NONCE_BYTES = 12


class UndecryptablePayloadError(Exception):
    """A payload was changed, cut, or encrypted for another namespace; the text holds none of it."""


class EncryptionCodec(PayloadCodec):
    """AES-256-GCM over whole payloads, with key ids for rotation.

    The ciphertext is bound to the namespace and the key id (additional data), not to a workflow: a codec
    server is told only the namespace.

    A payload that arrives in the clear is refused, so that nobody can slip in messages without the key. The
    refused payload is replaced by one that no converter reads: then that message fails, and the workflow
    lives on. An exception here would fail the workflow's every later task.

    Only words for operators go out in the clear (`wire.readable`); they are never taken back in.
    """

    def __init__(self, keys: KeySet, namespace: str) -> None:
        self._keys = keys
        self._namespace = namespace
        self._cipher = functools.cache(lambda key_id: AESGCM(keys.key(key_id)))

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt each payload with the primary key, but for the words of operators."""
        return [payload if is_readable(payload) else self._encrypted(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt each payload by its key id.

        Raises:
            KeysError: The key ring has no such key; the work waits until it has.
            UndecryptablePayloadError: Changed, cut or from another namespace.
        """
        return [self._decrypted(payload) for payload in payloads]

    def _additional_data(self, key_id: str) -> bytes:
        return b"\0".join((b"v1", self._namespace.encode(), key_id.encode()))

    def _encrypted(self, payload: Payload) -> Payload:
        key_id = self._keys.primary
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._cipher(key_id).encrypt(
            nonce, payload.SerializeToString(), self._additional_data(key_id)
        )
        return Payload(
            metadata={"encoding": ENCRYPTED, "encryption-key-id": key_id.encode()}, data=nonce + sealed
        )

    def _decrypted(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCRYPTED:
            return Payload(metadata={"encoding": REFUSED})
        key_id = payload.metadata.get("encryption-key-id", b"").decode("ascii", "replace")
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        cipher = self._cipher(key_id)
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, self._additional_data(key_id)))
        except (InvalidTag, ValueError, DecodeError):
            raise UndecryptablePayloadError(
                "消息无法解密：内容被改动、不完整，或属于另一命名空间 / "
                "A message cannot be decrypted: it was changed, cut, or belongs to another namespace"
            ) from None
