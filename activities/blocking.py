"""What becomes of a blocked case in the database. Each method is one transaction, harmless when repeated."""

from datetime import UTC, datetime

from sqlalchemy import Engine
from temporalio import activity

from schemas.contracts.stuck import CaseReturned, NoteBlock, ReturnCase
from schemas.tables.claims import Claim, UnitClaim
from schemas.tables.delegation import Handover
from store import claims, stuck
from store.database import Writer, writing
from store.notices import leave
from store.stuck import Sighting

_OVER = frozenset({"moved", "already_moved", "changed", "declined", "locked", "lapsed", "reversed"})


class BlockActivities:
    """Notes blocks, and returns cases."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @activity.defn
    def note_block(self, order: NoteBlock) -> None:
        """List the workflow as blocked, or take it off the list."""
        workflow_id, now = activity.info().workflow_id or "", datetime.now(UTC)
        block = order.block
        with writing(self._engine) as writer:
            if block is None:
                stuck.clear_workflow(writer, workflow_id, now, "blocked")
            else:
                seen = Sighting(workflow_id, "blocked", block.since, block.effect, failure=block.code)
                stuck.note(writer, [seen], now)

    @activity.defn
    def return_case(self, order: ReturnCase) -> CaseReturned:
        """Close a claim or handover as declined, and tell whoever asked for it."""
        with writing(self._engine) as writer:
            case = _locked(writer, order)
            if case.state not in _OVER:
                case.state, case.reason = "declined", "returned"
                case.closed_at, case.due_at = order.at, None
                for asked in claims.waiting_confirmations(writer, case.id):
                    asked.state = "lapsed"
                leave(writer, [case.account_id], "case_returned", order.operation_id, order.at)
        return CaseReturned()


def _locked(writer: Writer, order: ReturnCase) -> Claim | UnitClaim | Handover:
    if order.case_kind == "handover":
        return writer.get_one(Handover, order.case_id, with_for_update=True)
    if order.case_kind == "claim":
        return writer.get_one(Claim, order.case_id, with_for_update=True)
    return writer.get_one(UnitClaim, order.case_id, with_for_update=True)
