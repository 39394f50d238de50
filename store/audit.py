"""The audit trail (审计记录) in the database: written here and by triggers, and only ever added to."""

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Connection, insert
from sqlmodel import SQLModel

from schemas.tables.audit import AuditEvent

ActorKind = Literal["person", "unit_administrator", "policy", "operator", "auditor", "service", "system"]


def record(
    connection: Connection,
    *,
    act: str,
    actor_kind: ActorKind,
    actor_id: UUID | None = None,
    case_kind: str | None = None,
    case_id: UUID | None = None,
    workflow_id: str | None = None,
    operation_id: UUID | None = None,
    reason: str | None = None,
    facts: Mapping[str, JsonValue] | None = None,
) -> int:
    """Write down what was done, in the transaction that does it.

    Most events need no call: triggers write one for every answer of the ledger (`operation.outcome`), every
    change of a claim's or handover's state, every act on a release, prior report, text message, reminder,
    import and account. Call this for what leaves no such row: acts of operators, audited readings.

    Args:
        connection: Of the transaction; of a `Writer`, ``writer.connection()``.
        act: What was done, one word in snake_case.
        actor_kind: In what capacity.
        actor_id: Which account or system; None for the procedure itself.
        case_kind: ``backup``, ``claim``, ``unit_claim``, ``handover``, ``account`` …
        case_id: Which.
        workflow_id: The workflow it was done to, where it is no case's.
        operation_id: Its row in the ledger, where it has one.
        reason: Why, as typed; tell whoever types it to name no person.
        facts: Codes, counts, digests and ids. Never a person.

    Returns:
        The event's id.
    """
    event = insert(_EVENTS).values(
        act=act,
        actor_kind=actor_kind,
        actor_id=actor_id,
        case_kind=case_kind,
        case_id=case_id,
        workflow_id=workflow_id,
        operation_id=operation_id,
        reason=reason,
        facts=dict(facts or {}),
    )
    id_: int = connection.execute(event.returning(_EVENTS.c.id)).scalar_one()
    return id_


_EVENTS = SQLModel.metadata.tables[str(AuditEvent.__tablename__)]
