"""Handover (移交): all backups that one delegate holds for a unit go to another of its people (委托调整).

The procedure, notice section 三 (备份委托调整功能):

1. An administrator of the unit confirms what a preview showed: whose backups, to whom, and a digest of the
   very set. If they are others by now, nothing moves.
2. Above so many backups a second administrator approves (复核), and the new delegate accepts (接受), where
   ``rules/procedures/delegation.yaml`` wants that; each within its time.
3. All of them move in one transaction, in which the digest and everybody's authorisation are checked once
   more. Creators stay; drafts go on under the new delegate. Old and new delegate are told.
4. For some days it can be undone (撤销): by a handover the other way, of what is still there.

One workflow for one old delegate, so no two handovers of one person run at once. The row in the database is
the truth; the workflow knows when to look at it.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.blocking import BlockActivities
    from activities.delegation import DelegationActivities
    from schemas.contracts.backups import operation_id
    from schemas.contracts.delegation import (
        ConsentCommand,
        DecideHandover,
        HandoverCommand,
        HandoverOrder,
        HandoverStands,
        OpenHandover,
    )
    from schemas.contracts.stuck import ResolveBlock, ReturnCase
    from schemas.delegation import CLOSED
    from schemas.errors import Refusal
    from schemas.texts import Text
    from wire.readable import Readable
    from wire.refusals import failure
    from workflows.blocking import Blocking
    from workflows.board import Board
    from workflows.transaction import PATIENT, transact

MOVING = timedelta(minutes=2)
"""A handover of any size is one transaction as well, of which no sign of life can be had."""
OPENING = timedelta(minutes=1)
"""How long a handover waits to be opened: a crash can take the very update away that was to open it."""


@workflow.defn(name="Handover")
class Handover(Blocking):
    """One run per handover, under the id of the old delegate; see the module for the procedure."""

    @workflow.init
    def __init__(self, opening: OpenHandover) -> None:
        self._handover_id = opening.handover_id
        self._stands = HandoverStands(state="stored", due_at=workflow.now() + OPENING)
        self._board = Board("handover")

    @workflow.run
    async def run(self, opening: OpenHandover) -> HandoverStands:
        """Wait for consents and deadlines, and move the backups."""
        self._tell()
        while not self._is_closed():
            await self._until_something_is_to_do()
            if self._wants_move():
                self._stand(await self._in_background("move_handover", self._move()))
            elif self._is_due():
                self._stand(await self._in_background("lapse_handover", self._lapse()))
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._stands

    # --- waiting ----------------------------------------------------------------------------------

    async def _until_something_is_to_do(self) -> None:
        """Sleep. A deadline that moves on does not touch this timer, so it may ring early: harmless."""
        due = None if self._block else self._stands.due_at
        blocked = self._block is not None
        try:
            await workflow.wait_condition(
                lambda: self._is_closed() or self._wants_move() or (blocked and self._block is None),
                timeout=None if due is None else max(due - workflow.now(), timedelta()),
                timeout_summary=Readable("下一个期限：到时失效"),
            )
        except TimeoutError:
            return

    def _is_closed(self) -> bool:
        return self._stands.state in CLOSED

    def _is_due(self) -> bool:
        due = self._stands.due_at
        return self._block is None and due is not None and workflow.now() >= due

    def _wants_move(self) -> bool:
        return self._block is None and self._stands.state == "moving"

    def _may_return(self, effect: str) -> bool:
        return not self._is_closed()

    async def _return(self, effect: str, command: ResolveBlock) -> None:
        returning = ReturnCase(
            operation_id=command.operation_id,
            case_kind="handover",
            case_id=self._handover_id,
            at=workflow.now(),
        )
        returned = await transact(BlockActivities.return_case, returning, "退回申请人")
        self._stand(HandoverStands(state=returned.state))

    # --- effects ----------------------------------------------------------------------------------

    async def _move(self) -> HandoverStands:
        return await workflow.execute_activity_method(
            DelegationActivities.move_handover,
            self._order("move"),
            start_to_close_timeout=MOVING,
            retry_policy=PATIENT,
            summary=Readable("移交备份"),
        )

    async def _lapse(self) -> HandoverStands:
        return await transact(
            DelegationActivities.lapse_handover, self._order(f"lapse {self._stands.due_at}"), "到期处理"
        )

    def _stand(self, stands: HandoverStands | None) -> None:
        """Take over how it stands in the database, if it is told; nothing opens a closed one again."""
        if stands is None or self._is_closed():
            return
        if stands.state != self._stands.state:
            self._board.show_stage(stands.state, stands.due_at)
        self._stands = stands
        self._tell()

    def _tell(self) -> None:
        moved = self._stands.moved
        more = [Text(f"已移交 {moved} 份备份", f"{moved} backups handed over")] if moved else []
        self._board.tell(self._stands.state, self._stands.due_at, *self._block_lines(), *more)

    def _order(self, name: str) -> HandoverOrder:
        return HandoverOrder(
            operation_id=operation_id(self._handover_id, name),
            handover_id=self._handover_id,
            at=workflow.now(),
        )

    # --- updates ----------------------------------------------------------------------------------

    @workflow.update
    async def begin(self, command: HandoverCommand) -> HandoverStands:
        """Check what is asked; where nobody else has to agree, the answer waits for the move."""
        order = HandoverOrder(
            operation_id=command.operation_id, handover_id=self._handover_id, at=workflow.now()
        )
        try:
            stands = await transact(DelegationActivities.open_handover, order, "受理移交")
        except FailureError:
            if self._stands.state == "stored" and workflow.patched("a refused handover ends at once"):
                self._stand(HandoverStands(state="lapsed"))  # there is no handover to wait for
            raise
        if self._stands.state == "stored":
            self._stand(stands)
        return await self._moved()

    @workflow.update
    async def decide(self, command: ConsentCommand) -> HandoverStands:
        """Hear somebody who has to agree; where it was the last, the answer waits for the move."""
        order = DecideHandover(
            operation_id=command.operation_id,
            handover_id=self._handover_id,
            at=workflow.now(),
            account_id=command.account_id,
            consent=command.consent,
            agreed=command.agreed,
        )
        stands = await transact(DelegationActivities.decide_handover, order, "登记意见")
        self._stand(stands)
        return await self._moved()

    async def _moved(self) -> HandoverStands:
        await workflow.wait_condition(lambda: self._stands.state != "moving")
        return self._stands

    @begin.validator
    def _may_begin(self, command: HandoverCommand) -> None:
        if command.handover_id != self._handover_id:
            raise failure(Refusal("handover_in_progress"))
        self._require_open(command)

    @decide.validator
    def _may_decide(self, command: ConsentCommand) -> None:
        self._require_open(command)

    def _require_open(self, command: HandoverCommand) -> None:
        if command.handover_id != self._handover_id or self._is_closed():
            raise failure(Refusal("handover_closed"))

    @workflow.query
    def progress(self) -> HandoverStands:
        """Stage and deadline, for operators."""
        return self._stands
