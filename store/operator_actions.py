"""What operators did with cases: one row per action, numbered by case, so that of two at once one acts."""

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import SQLModel

from schemas.errors import Refusal
from schemas.stuck import Action
from schemas.tables.backups import Operation
from store import audit
from store.cases import Case
from store.database import Reader, Writer


class Act(NamedTuple):
    """One action of an operator.

    Attributes:
        result: ``done``, ``open`` while it is under way, or the code of the refusal.
    """

    action: Action
    revision: int
    operator_id: UUID
    reason: str
    reference: str | None
    at: datetime
    result: str


class Intent(NamedTuple):
    """What an operator asks for.

    Attributes:
        operation_id: Its row in the ledger.
        seen: Revision of the case that the operator looked at.
    """

    operation_id: UUID
    account_id: UUID
    action: Action
    reason: str
    reference: str | None
    seen: int


def begin(writer: Writer, case: Case, intent: Intent) -> None:
    """Note an action and its reason, in the trail as well, before it is carried out; once for one operation.

    Raises:
        Refusal: ``case_acted_on``: another operator has acted since the case was looked at.
    """
    connection = writer.connection()
    known = connection.execute(_KNOWN, {"id": intent.operation_id}).scalar()
    if known is not None:
        return
    row = {
        "id": intent.operation_id,
        "case_id": case.case_id,
        "revision": intent.seen + 1,
        "action": intent.action,
        "account_id": intent.account_id,
        "reason": intent.reason,
        "reference": intent.reference,
        "at": datetime.now(UTC),
    }
    latest = connection.execute(_LATEST, {"case_id": case.case_id}).scalar_one()
    if latest != intent.seen or not connection.execute(_BEGIN, row).rowcount:
        raise Refusal("case_acted_on", revision=max(latest, intent.seen + 1))
    facts = {"revision": intent.seen + 1, "reference": intent.reference}
    _trail(writer, case, intent, f"operator_asks_{intent.action}", facts)


def finish(writer: Writer, operation_id: UUID) -> None:
    """Note that an action was carried out; the trail follows from the ledger."""
    operation = writer.get_one(Operation, operation_id, with_for_update=True)
    if operation.outcome is None:
        operation.outcome, operation.finished_at = {"done": True}, datetime.now(UTC)


def refuse(writer: Writer, case: Case, intent: Intent, code: str) -> None:
    """Note in the trail that an action was refused before it began."""
    _trail(writer, case, intent, f"operator_refused_{intent.action}", {"code": code})


def of_case(reader: Reader, case_id: UUID) -> list[Act]:
    """What operators did with a case, the latest first."""
    return [Act(*row) for row in reader.execute(_OF_CASE, {"case_id": case_id})]


def support(reader: Reader, case_id: UUID) -> str | None:
    """Support's reference, while the case is with support."""
    return next(
        (act.reference for act in of_case(reader, case_id) if act.action in ("hand_to_support", "take_back")),
        None,
    )


def _trail(writer: Writer, case: Case, intent: Intent, act: str, facts: dict[str, str | int | None]) -> None:
    audit.record(
        writer.connection(),
        act=act,
        actor_kind="operator",
        actor_id=intent.account_id,
        case_kind=case.kind,
        case_id=case.case_id,
        workflow_id=case.workflow_id,
        operation_id=intent.operation_id,
        reason=intent.reason,
        facts=facts,
    )


_ACTIONS = SQLModel.metadata.tables["operator_action"]
_BEGIN = insert(_ACTIONS).on_conflict_do_nothing()
_KNOWN = text("SELECT revision FROM operator_action WHERE id = :id")
_LATEST = text("SELECT coalesce(max(revision), 0) FROM operator_action WHERE case_id = :case_id")
_OF_CASE = text(
    """
    SELECT action, revision, act.account_id, reason, reference, at,
           CASE WHEN outcome IS NULL THEN 'open' ELSE coalesce(outcome ->> 'refused', 'done') END
    FROM operator_action AS act JOIN operation ON operation.id = act.id
    WHERE act.case_id = :case_id ORDER BY revision DESC
    """
)
