"""The audit trail (审计记录): what was done, its seals, and the signed heads of the tree over them.

Nothing here is ever changed or deleted; the database refuses it. `AuditUnsealed` alone is a queue.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, Index, LargeBinary, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel


class AuditEvent(SQLModel, table=True):
    """One effect, written in its transaction; most by triggers of the tables that it changes.

    Without persons: accounts by their id, everything else by codes, counts and digests.
    """

    __tablename__ = "audit_event"
    __table_args__ = (
        CheckConstraint(
            "actor_kind IN ('person', 'unit_administrator', 'policy', 'operator', 'auditor', 'service',"
            " 'system')",
            name="known_actor_kind",
        ),
        Index("audit_event_by_case", "case_id", "id"),
        Index("audit_event_by_actor", "actor_id", "id"),
        Index("audit_event_by_act", "act", "id"),
        Index("audit_event_by_time", "at", postgresql_using="brin"),
    )

    id: int | None = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True)
    )
    at: datetime = Field(
        sa_column=Column(DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp())
    )
    act: str = Field(description="What was done: the operation's kind, or a word of the table that changed")
    actor_kind: str = Field(description="In what capacity: one of `store.audit.ActorKind`")
    actor_id: UUID | None = Field(default=None, description="An account, or the id of a system")
    case_kind: str | None = Field(
        default=None, description="backup, claim, unit_claim, handover, account or comparison"
    )
    case_id: UUID | None = None
    workflow_id: str | None = None
    operation_id: UUID | None = Field(default=None, description="Its row in the ledger, where it has one")
    reason: str | None = Field(default=None, description="Why, in the words of whoever did it")
    facts: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column(JSONB, nullable=False, server_default="{}")
    )


class AuditUnsealed(SQLModel, table=True):
    """Committed events that wait for a seal: a queue, so that none is passed over however late it commits."""

    __tablename__ = "audit_unsealed"

    event_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))


class AuditSeal(SQLModel, table=True):
    """The place of one event in the chain and in the tree (RFC 6962, section 2.1)."""

    __tablename__ = "audit_seal"

    seq: int = Field(
        sa_column=Column(BigInteger, primary_key=True, autoincrement=False), description="0, 1, 2 …"
    )
    event_id: int = Field(sa_column=Column(BigInteger, nullable=False, unique=True))
    chain: bytes = Field(description="SHA-256 over the chain before and the leaf")
    nodes: list[bytes] = Field(sa_column=Column(ARRAY(LargeBinary), nullable=False))
    """The leaf's hash, then those of all complete subtrees whose last leaf it is, smaller ones first."""


class AuditTreeHead(SQLModel, table=True):
    """A signed tree head (RFC 6962, section 3.5): what the trail was at one moment, for others to keep."""

    __tablename__ = "audit_tree_head"

    size: int = Field(
        sa_column=Column(BigInteger, primary_key=True, autoincrement=False), description="Sealed events"
    )
    root: bytes = Field(description="Of the tree over them")
    signed: str = Field(description="Compact JWS (RFC 7515) over size, root, chain and time")
    signed_at: datetime = Field(sa_type=DateTime(timezone=True))
