"""Claim by a unit (单位认领): its administrator claims an old colleague's backups for one of its people.

The procedure, notice section 三 (备份信息认领功能):

1. Name and phone are counted against every limit, then checked against the register (信息校验), among the
   records of the own unit only; the answer says whether they match.
2. A code goes to the administrator's own phone; five may be tried.
3. Above 100 backups a second administrator of the unit approves (复核), within 30 days.
4. All numbered backups move to the new delegate in one transaction, in which everybody's membership and
   authorisation are checked once more. Delegate and administrators are told.
5. For 7 days an administrator may take the move back (撤销): all of it, or nothing.

Durations and counts come from ``rules/procedures/claiming.yaml``; those above are its defaults. The claim's
row is the truth; the workflow knows when to look at it.
"""

import asyncio
from datetime import timedelta
from uuid import UUID

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.blocking import BlockActivities
    from activities.sms.outbox import SmsActivities
    from activities.unit_claims import UnitClaimActivities
    from schemas.claims import CLOSED
    from schemas.contracts.backups import operation_id
    from schemas.contracts.claims import (
        ClaimCommand,
        ClaimOrder,
        ClaimProgress,
        ClaimStands,
        CodeAttempt,
        CodeTried,
        Decide,
        Decision,
        OpenClaim,
        Reversal,
        Reverse,
        TryCode,
    )
    from schemas.contracts.sms import SendMessage
    from schemas.contracts.stuck import ResolveBlock, ReturnCase
    from schemas.errors import Refusal
    from wire.readable import Readable
    from wire.refusals import failure
    from workflows.blocking import Blocking
    from workflows.board import Board
    from workflows.transaction import PATIENT, transact

MOVING = timedelta(minutes=2)
"""A move of any size is one transaction as well, of which no sign of life can be had."""
SENDING = timedelta(seconds=30)
OPENING = timedelta(minutes=1)
"""How long a claim waits to be opened: a crash can take the very update away that was to open it."""
SETTLING = timedelta(seconds=1)
"""How long late guesses are turned away before a locked claim ends: it cannot end while they arrive."""


@workflow.defn(name="UnitClaim")
class UnitClaim(Blocking):
    """One run per claim; see the module for the procedure."""

    @workflow.init
    def __init__(self, opening: OpenClaim) -> None:
        self._opening = opening
        self._progress = opening.progress or ClaimProgress(due_at=workflow.now() + OPENING)
        self._block = opening.block
        self._stands: ClaimStands | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._board = Board("unit_claim")

    @workflow.run
    async def run(self, opening: OpenClaim) -> ClaimStands:
        """Move what is proven, and do what falls due, until nothing more can happen."""
        self._tell()
        while not self._is_closed():
            await self._until_something_is_to_do()
            if self._wants_move():
                self._stand(await self._in_background("move_unit_claim", self._move()))
            elif self._is_due():
                self._stand(await self._in_background("lapse_unit_claim", self._lapse()))
            elif self._may_start_fresh_run():
                carried = {"progress": self._progress, "block": self._block}
                workflow.continue_as_new(self._opening.model_copy(update=carried))
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._progress.state == "locked":
            await workflow.sleep(SETTLING, summary=Readable("等待其余请求退出"))
        return self._stands or ClaimStands(state=self._progress.state)

    # --- waiting ----------------------------------------------------------------------------------

    async def _until_something_is_to_do(self) -> None:
        """Sleep. What moves the deadline on does not touch this timer, so it may ring early: harmless."""
        due = None if self._block else self._progress.due_at
        blocked = self._block is not None
        try:
            await workflow.wait_condition(
                lambda: (
                    self._is_closed()
                    or self._wants_move()
                    or self._may_start_fresh_run()
                    or (blocked and self._block is None)
                ),
                timeout=None if due is None else max(due - workflow.now(), timedelta()),
                timeout_summary=Readable("下一个期限：到时失效或办结"),
            )
        except TimeoutError:
            return

    def _is_closed(self) -> bool:
        return self._progress.state in CLOSED and self._progress.due_at is None

    def _is_due(self) -> bool:
        due = self._progress.due_at
        return self._block is None and due is not None and workflow.now() >= due

    def _wants_move(self) -> bool:
        return self._block is None and self._progress.state == "moving"

    def _may_start_fresh_run(self) -> bool:
        info = workflow.info()
        long = info.get_current_history_length() >= self._opening.events_per_run
        idle = workflow.all_handlers_finished() and not self._sending
        return idle and not self._is_closed() and (long or info.is_continue_as_new_suggested())

    def _may_return(self, effect: str) -> bool:
        return self._progress.state not in CLOSED

    async def _return(self, effect: str, command: ResolveBlock) -> None:
        returning = ReturnCase(
            operation_id=command.operation_id,
            case_kind="unit_claim",
            case_id=self._opening.claim_id,
            at=workflow.now(),
        )
        returned = await transact(BlockActivities.return_case, returning, "退回申请人")
        self._stand(ClaimStands(state=returned.state))

    # --- effects ----------------------------------------------------------------------------------

    async def _move(self) -> ClaimStands:
        return await workflow.execute_activity_method(
            UnitClaimActivities.move_unit_claim,
            self._order("move"),
            start_to_close_timeout=MOVING,
            retry_policy=PATIENT,
            summary=Readable("移交原备份"),
        )

    async def _send(self, message_id: UUID) -> None:
        """Send the message, beside whatever else is asked meanwhile; what became of it is in the outbox."""
        due = self._progress.due_at or workflow.now()
        try:
            await workflow.execute_activity_method(
                SmsActivities.send_message,
                SendMessage(message_id=message_id),
                start_to_close_timeout=SENDING,
                schedule_to_close_timeout=max(due - workflow.now(), SENDING),
                retry_policy=PATIENT,
                summary=Readable("发送验证码"),
            )
        except ActivityError:
            workflow.logger.warning("message not sent in time")

    async def _lapse(self) -> ClaimStands:
        return await transact(
            UnitClaimActivities.lapse_unit_claim, self._order(f"lapse {self._progress.due_at}"), "到期处理"
        )

    def _stand(self, stands: ClaimStands | None) -> None:
        """Take over how the claim stands in the database, if it is told; nothing opens a closed one again."""
        if stands is None or self._is_closed():
            return
        if stands.state != self._progress.state:
            self._board.show_stage(stands.state, stands.due_at)
        self._stands = stands
        self._change(state=stands.state, due_at=stands.due_at)

    def _change(self, **changes: object) -> None:
        self._progress = self._progress.model_copy(update=changes)
        self._tell()

    def _tell(self) -> None:
        self._board.tell(self._progress.state, self._progress.due_at, *self._block_lines())

    def _order(self, name: str) -> ClaimOrder:
        claim_id = self._opening.claim_id
        return ClaimOrder(operation_id=operation_id(claim_id, name), claim_id=claim_id, at=workflow.now())

    # --- updates ----------------------------------------------------------------------------------

    @workflow.update
    async def begin(self, command: ClaimCommand) -> ClaimStands:
        """Count what was typed, check it against the register, and send a code to the administrator."""
        try:
            stands = await transact(
                UnitClaimActivities.open_unit_claim, self._order_of(command), "受理单位认领并核对信息"
            )
        except FailureError:
            if self._progress.state == "stored":  # there is no claim to wait for
                self._stand(ClaimStands(state="lapsed"))
            raise
        if self._progress.state == "stored":
            self._stand(stands)
            if stands.message_id is not None:
                sending = asyncio.create_task(self._send(stands.message_id))
                self._sending.add(sending)
                sending.add_done_callback(self._sending.discard)
        return stands

    @workflow.update
    async def try_code(self, command: CodeAttempt) -> CodeTried:
        """Compare the administrator's code; the right one moves the backups or asks for the approval."""
        tried = await transact(
            UnitClaimActivities.try_step_up,
            TryCode(**self._order_of(command).model_dump(), digest=command.digest),
            "核对管理员验证码",
        )
        if tried.accepted or tried.state == "locked":
            await self._see_through(ClaimStands(state=tried.state, due_at=tried.due_at))
        return tried

    @workflow.update
    async def approve(self, command: Decision) -> ClaimStands:
        """Hear the second administrator (复核); an approval moves the backups, which the answer waits for."""
        decided = await transact(
            UnitClaimActivities.approve_unit_claim,
            Decide(
                **self._order_of(command).model_dump(),
                account_id=command.account_id,
                agreed=command.agreed,
            ),
            "登记复核意见",
        )
        await self._see_through(decided)
        return decided

    @workflow.update
    async def reverse(self, command: Reversal) -> ClaimStands:
        """Take the move back (撤销)."""
        reversed_ = await workflow.execute_activity_method(
            UnitClaimActivities.reverse_unit_claim,
            Reverse(**self._order_of(command).model_dump(), account_id=command.account_id),
            start_to_close_timeout=MOVING,
            retry_policy=PATIENT,
            summary=Readable("撤销单位认领"),
        )
        self._stand(reversed_)
        return reversed_

    async def _see_through(self, stands: ClaimStands) -> None:
        """Take a decision over and wait for the move that it leads to."""
        self._stand(stands)
        await workflow.wait_condition(lambda: self._progress.state != "moving")

    @begin.validator
    def _may_begin(self, command: ClaimCommand) -> None:
        self._require_open("claim_closed")

    @try_code.validator
    def _may_try_code(self, command: CodeAttempt) -> None:
        self._require_open("code_not_accepted")

    @approve.validator
    def _may_approve(self, command: Decision) -> None:
        self._require_open("claim_closed")

    @reverse.validator
    def _may_reverse(self, command: Reversal) -> None:
        self._require_open("claim_closed")

    def _require_open(self, code: str) -> None:
        if self._is_closed():
            raise failure(Refusal(code))

    def _order_of(self, command: ClaimCommand) -> ClaimOrder:
        claim_id = self._opening.claim_id
        return ClaimOrder(operation_id=command.operation_id, claim_id=claim_id, at=workflow.now())

    @workflow.query
    def progress(self) -> ClaimProgress:
        """Stage and deadline, for operators."""
        return self._progress
