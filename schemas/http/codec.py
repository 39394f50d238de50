"""Requests and answers of the codec server (解密服务), in the form that Temporal's clients speak."""

import base64
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema

from schemas.http.backups import Request

MOST_PAYLOADS = 1_000
"""In one request; the Web UI and the command send those of one event."""


def _decoded(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("base64 is text")  # noqa: TRY004 - pydantic turns only ValueError into a fault
    return base64.b64decode(value, validate=True)


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


Base64 = Annotated[
    bytes,
    PlainValidator(_decoded),
    PlainSerializer(_encoded),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]


class CodecPayload(BaseModel):
    """One payload in Temporal's JSON; members that it gains later are passed over."""

    model_config = ConfigDict(hide_input_in_errors=True)

    metadata: dict[str, Base64] = Field(default={}, max_length=20)
    data: Base64 = b""


class CodecPayloads(BaseModel):
    """What Temporal's Web UI and command send and take."""

    model_config = ConfigDict(hide_input_in_errors=True)

    payloads: list[CodecPayload] = Field(max_length=MOST_PAYLOADS)


class NewOperatorGrant(Request):
    """Nothing has to be said to see masked payloads."""


class NewAuditGrant(Request):
    """Which workflow is to be read in the clear, and why."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "workflow_id": "backup-0b7f6c1e-3d43-5d1c-9c83-5b8f0a4f7f10",
                "reason": "工单 HG-52：核对编号时间",
            }
        }
    )

    workflow_id: str = Field(pattern=r"^[a-z]+(-[a-z]+){0,3}-[0-9a-f-]{36}$", max_length=80)
    reason: str = Field(min_length=4, max_length=200, description="Kept for ever; name no person")


class GrantView(BaseModel):
    """Leave to decode (解密授权), for a short time."""

    token: str = Field(description="Send it as Authorization: Bearer; a browser has it as a cookie as well")
    expires_at: datetime
    command: str = Field(description="For the temporal command")
