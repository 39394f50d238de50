"""Raw events for operators: of a history as Temporal keeps them, payloads masked; of our own records."""

import re
from base64 import b64decode
from typing import Any

from google.protobuf.json_format import MessageToDict
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.converter import PayloadCodec

from api.masking import MASK, masked
from schemas.tables.audit import AuditEvent
from wire.codec import ENCRYPTED, UndecryptablePayloadError
from wire.keys import KeysError

_ID = re.compile(r"([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_OWN = ("case_id", "operation_id")


def recorded(event: AuditEvent) -> dict[str, Any]:
    """An event of the audit trail as JSON; ids of accounts are shortened."""
    said = event.model_dump(mode="json")
    return {name: value if name in _OWN else _shortened(value) for name, value in said.items()}


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shortened(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_shortened(each) for each in value]
    return _ID.sub(r"\1", value) if isinstance(value, str) else value


async def shown(client: Client, event: HistoryEvent) -> dict[str, Any]:
    """The event as JSON: encrypted payloads masked as the codec server does, others as they are."""
    codec = client.data_converter.payload_codec
    document: dict[str, Any] = await _walked(MessageToDict(event), codec)
    return document


async def _walked(value: Any, codec: PayloadCodec | None) -> Any:
    if isinstance(value, list):
        return [await _walked(each, codec) for each in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("metadata"), dict) and "encoding" in value["metadata"]:
        return await _shown(value, codec)
    return {name: await _walked(each, codec) for name, each in value.items()}


async def _shown(said: dict[str, Any], codec: PayloadCodec | None) -> str:
    """One payload as text."""
    metadata = {name: b64decode(each) for name, each in said["metadata"].items()}
    payload = Payload(metadata=metadata, data=b64decode(said.get("data", "")))
    if metadata["encoding"] != ENCRYPTED:
        return payload.data.decode("utf-8", "replace")
    if codec is None:
        return MASK
    try:
        (clear,) = await codec.decode([payload])
    except (KeysError, UndecryptablePayloadError):
        return MASK
    return masked(clear).data.decode("utf-8", "replace")
