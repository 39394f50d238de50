"""The ledger of asked-for changes, as the API keeps it: one row per request, one answer per row."""

from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from schemas.errors import Refusal
from schemas.tables.backups import Operation
from store.database import Writer


class Asked(NamedTuple):
    """One request for a change.

    Attributes:
        id: Of the operation, and of the content it brings.
        update_id: Of the workflow update that carries it.
        account_id: Who asks.
        case_id: The backup, claim or handover it is about.
        kind: ``save_step``, ``submit``, ``withdraw`` or ``check_deposits``.
        digest: Keyed digest of the request, hex.
    """

    id: UUID
    update_id: str
    account_id: UUID
    case_id: UUID
    kind: str
    digest: str


def begin(writer: Writer, asked: Asked) -> dict[str, Any] | None:
    """Note a request before it is carried out.

    Returns:
        The outcome, when this very request has been carried out before; None when it is to be done.

    Raises:
        Refusal: ``idempotency_key_reused`` for another request under the same key; or the refusal
            that the request met the first time.
    """
    row = {
        "id": asked.id,
        "account_id": asked.account_id,
        "case_id": asked.case_id,
        "kind": asked.kind,
        "request_digest": asked.digest,
        "asked_at": datetime.now(UTC),
    }
    if writer.execute(
        insert(Operation).values(row).on_conflict_do_nothing().returning(col(Operation.id))
    ).first():
        return None
    operation = writer.get_one(Operation, asked.id)
    if operation.request_digest != asked.digest:
        raise Refusal("idempotency_key_reused")
    if operation.outcome is not None and "refused" in operation.outcome:
        raise Refusal(operation.outcome["refused"], **operation.outcome["facts"])
    return operation.outcome


def refuse(writer: Writer, operation_id: UUID, refusal: Refusal) -> dict[str, Any] | None:
    """Close an operation that was refused for good, so that a repetition meets the same refusal.

    Returns:
        The outcome, when the change had been made all the same: its answer was lost, and the repetition was
        refused because of the change itself. None when it is refused.
    """
    operation = writer.get(Operation, operation_id, with_for_update=True)
    if operation is None:
        return None
    if operation.outcome is None:
        operation.outcome = {"refused": refusal.error.code, "facts": refusal.facts}
        operation.finished_at = datetime.now(UTC)
    return None if "refused" in operation.outcome else operation.outcome
