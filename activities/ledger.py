"""At most once: an effect and its answer in one transaction, and the answer alone for whoever asks again."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Engine, bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import SQLModel

from schemas.contracts.backups import Message
from schemas.errors import Refusal
from store.database import Writer, writing
from wire.refusals import failure

Answer = TypeVar("Answer", bound=Message)
Case = TypeVar("Case")


class Order(Protocol):
    """What is asked."""

    @property
    def operation_id(self) -> UUID:
        """Row of the ledger."""

    @property
    def case_id(self) -> UUID:
        """The claim or handover it is about."""


def once(
    engine: Engine,
    order: Order,
    kind: str,
    model: type[Answer],
    lock: Callable[[Writer], Case],
    effect: Callable[[Writer, Case], Answer],
) -> Answer:
    """Run an effect and keep its answer; an operation that has one gets it again.

    The case, a claim or a handover, is locked first: what is read after that is what an overlapping attempt
    has left behind.

    Args:
        engine: The database.
        order: What is asked.
        kind: What the ledger calls it.
        model: Of the answer.
        lock: Locks the row of the case and gives it.
        effect: Changes the case.

    Raises:
        ApplicationError: A `Refusal` of lock or effect; nothing was changed.
    """
    try:
        with writing(engine) as writer:
            case = lock(writer)
            outcome = writer.connection().execute(_OUTCOME, {"operation_id": order.operation_id}).scalar()
            if outcome is not None:
                return model.model_validate(outcome)
            answer = effect(writer, case)
            now = datetime.now(UTC)
            asked = {"id": order.operation_id, "case_id": order.case_id, "kind": kind, "asked_at": now}
            answered = {"outcome": answer.model_dump(mode="json"), "finished_at": now}
            writer.connection().execute(_ANSWER, {**asked, "request_digest": "", **answered})
            return answer
    except Refusal as refusal:
        raise failure(refusal) from None


_OPERATIONS = SQLModel.metadata.tables["operation"]
_OUTCOME = select(_OPERATIONS.c.outcome).where(
    _OPERATIONS.c.id == bindparam("operation_id"), ~_OPERATIONS.c.outcome.has_key("refused")
)
"""Of an operation that was carried out. One that was only refused may be on its way all the same: then the
effect counts (a sweep can refuse a request in the instant it is repeated)."""
_ASKED = insert(_OPERATIONS)
_ANSWER = _ASKED.on_conflict_do_update(
    index_elements=["id"],
    set_={"outcome": _ASKED.excluded.outcome, "finished_at": _ASKED.excluded.finished_at},
)
