"""Words for operators that cross Temporal in the clear, so that its Web UI shows them without any key."""

import json
from collections.abc import Sequence
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter

READABLE = "readable"
"""Metadata by which the codec knows such words."""
_CURRENT_DETAILS = b"temporal.api.sdk.v1.WorkflowMetadata"
"""The answer to the SDK's own query for current details, and names and descriptions of handlers."""


class Readable(str):
    """Words (摘要) that every operator may read: of constants, ids, numbers and dates, never of a person.

    Give one to ``static_summary``, ``static_details``, ``summary`` or ``timeout_summary``. An ordinary string
    is encrypted there as everywhere.
    """

    __slots__ = ()


class MarkingConverter(PydanticPayloadConverter):
    """Pydantic payloads; what is `Readable` is marked for the codec."""

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """Convert each value."""
        payloads = super().to_payloads(values)
        for value, payload in zip(values, payloads, strict=True):
            if isinstance(value, Readable):
                payload.metadata[READABLE] = b""
        return payloads


def is_readable(payload: Payload) -> bool:
    """Whether a payload that we made is for every operator to read.

    It says nothing of a payload that comes from elsewhere: anybody can mark one.
    """
    return READABLE in payload.metadata or payload.metadata.get("messageType") == _CURRENT_DETAILS


def words(payload: Payload) -> str | None:
    """The words of a summary as it stands in a history; None when it is none of ours."""
    if not is_readable(payload):
        return None
    try:
        said = json.loads(payload.data)
    except ValueError:
        return None
    return said if isinstance(said, str) else None
