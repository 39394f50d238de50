"""Properties of the encrypting codec."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload

from wire.codec import REFUSED, EncryptionCodec, UndecryptablePayloadError
from wire.keys import KeysError, KeySet
from wire.readable import MarkingConverter, Readable, words

KEYS = KeySet.generate()
CODEC = EncryptionCodec(KEYS, "hgr")

payloads = st.builds(
    Payload,
    metadata=st.dictionaries(st.text(max_size=20), st.binary(max_size=40), max_size=4),
    data=st.binary(max_size=4096),
)


def encode(codec: EncryptionCodec, *plain: Payload) -> list[Payload]:
    return asyncio.run(codec.encode(plain))


def decode(codec: EncryptionCodec, *sealed: Payload) -> list[Payload]:
    return asyncio.run(codec.decode(sealed))


@given(st.lists(payloads, max_size=4))
def test_what_was_encrypted_decrypts_to_the_same_payloads(plain: list[Payload]) -> None:
    assert decode(CODEC, *encode(CODEC, *plain)) == plain


@given(payloads)
def test_nothing_of_the_payload_is_left_outside_the_ciphertext(plain: Payload) -> None:
    sealed, again = encode(CODEC, plain, plain)
    assert dict(sealed.metadata) == {"encoding": b"binary/encrypted", "encryption-key-id": b"k1"}
    assert sealed.data[:12] != again.data[:12], "a nonce must never repeat"
    assert len(sealed.data) == 12 + plain.ByteSize() + 16


@given(payloads, st.data())
def test_a_changed_byte_is_refused(plain: Payload, data: st.DataObject) -> None:
    (sealed,) = encode(CODEC, plain)
    position = data.draw(st.integers(0, len(sealed.data) - 1))
    changed = bytearray(sealed.data)
    changed[position] ^= data.draw(st.integers(1, 255))
    sealed.data = bytes(changed)
    with pytest.raises(UndecryptablePayloadError):
        decode(CODEC, sealed)


@given(payloads, st.integers(0, 40))
def test_a_cut_payload_is_refused(plain: Payload, kept: int) -> None:
    (sealed,) = encode(CODEC, plain)
    sealed.data = sealed.data[: min(kept, len(sealed.data) - 1)]
    with pytest.raises(UndecryptablePayloadError):
        decode(CODEC, sealed)


@pytest.mark.parametrize(
    "reader",
    [
        pytest.param(EncryptionCodec(KeySet.generate(), "hgr"), id="another key under the same id"),
        pytest.param(EncryptionCodec(KEYS, "other"), id="another namespace"),
    ],
)
def test_payloads_of_others_are_refused(reader: EncryptionCodec) -> None:
    with pytest.raises(UndecryptablePayloadError):
        decode(reader, *encode(CODEC, Payload(data=b"x")))


def test_a_payload_does_not_decrypt_under_another_key_id_of_the_same_key() -> None:
    alias = KeySet(primary="k1", keys={**KEYS.keys, "k2": KEYS.keys["k1"]})
    (sealed,) = encode(CODEC, Payload(data=b"x"))
    sealed.metadata["encryption-key-id"] = b"k2"
    with pytest.raises(UndecryptablePayloadError):
        decode(EncryptionCodec(alias, "hgr"), sealed)


@pytest.mark.parametrize("key_id", [b"13800001111", b"", b"\xff"])
def test_an_unknown_key_id_is_told_without_repeating_it(key_id: bytes) -> None:
    (sealed,) = encode(CODEC, Payload(data=b"x"))
    sealed.metadata["encryption-key-id"] = key_id
    with pytest.raises(KeysError) as raised:
        decode(CODEC, sealed)
    assert "13800001111" not in str(raised.value)


def test_after_a_rotation_old_payloads_decrypt_and_new_ones_use_the_new_key() -> None:
    rotated = EncryptionCodec(KEYS.rotated(), "hgr")
    old, new = encode(CODEC, Payload(data=b"old")), encode(rotated, Payload(data=b"new"))
    assert decode(rotated, *old, *new) == [Payload(data=b"old"), Payload(data=b"new")]
    assert new[0].metadata["encryption-key-id"] == b"k2"
    with pytest.raises(KeysError):
        decode(CODEC, *new)


@given(payloads.filter(lambda payload: payload.metadata.get("encoding") != b"binary/encrypted"))
def test_a_plaintext_payload_is_replaced_by_one_that_no_converter_reads(plain: Payload) -> None:
    assert decode(CODEC, plain) == [Payload(metadata={"encoding": REFUSED})]


@given(st.text())
def test_words_for_operators_go_out_in_the_clear_and_are_never_taken_back_in(said: str) -> None:
    converter = MarkingConverter()
    summary, secret = encode(CODEC, converter.to_payload(Readable(said)), converter.to_payload(said))
    assert words(summary) == said
    assert words(secret) is None
    assert secret.metadata["encoding"] == b"binary/encrypted"
    assert decode(CODEC, summary)[0].metadata["encoding"] == REFUSED
