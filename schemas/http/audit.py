"""The audit trail: events, signed tree heads, and proofs that an event is in the trail."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from schemas.http.backups import Pagination


class AuditRecord(BaseModel):
    """One event as it is hashed (RFC 6962, section 2.1): its members sorted, without blanks, UTF-8."""

    model_config = ConfigDict(extra="forbid")

    id: int
    at: str = Field(description="RFC 3339, UTC, always with microseconds")
    act: str = Field(description="What was done (行为)")
    actor_kind: str = Field(description="In what capacity (身份)")
    actor_id: UUID | None = Field(description="The account or system; None: the procedure itself")
    case_kind: str | None
    case_id: UUID | None
    workflow_id: str | None
    operation_id: UUID | None
    reason: str | None = Field(description="Why, in the words of whoever did it (理由)")
    facts: dict[str, Any] = Field(description="Codes, counts, digests and ids; never a person")


class AuditEventView(BaseModel):
    """One event of a list."""

    event: AuditRecord
    seq: int | None = Field(description="Place in the trail, from 0; None within the second before its seal")


class AuditEventPage(BaseModel):
    """Events, newest first."""

    events: list[AuditEventView]
    pagination: Pagination


class TreeHeadView(BaseModel):
    """A signed tree head (签名树头)."""

    size: int = Field(description="Sealed events")
    root: str = Field(description="Of the tree over them, hex")
    signed_at: str
    jws: str = Field(description="Compact JWS (RFC 7515) over size, root, chain and time")


class TreeHeadPage(BaseModel):
    """Tree heads, newest first."""

    heads: list[TreeHeadView]
    pagination: Pagination


class InclusionProof(BaseModel):
    """That an event is in the trail (RFC 6962, section 2.1.1); to be checked without us."""

    event: AuditRecord
    seq: int = Field(ge=0, description="Place of its leaf")
    path: list[str] = Field(max_length=64, description="Hashes from the leaf up, hex")
    size: int = Field(description="Of the tree that it is in: sealed events")
    root: str = Field(description="Of that tree, hex")
    head: str = Field(description="The signed tree head that says size and root: compact JWS (RFC 7515)")
