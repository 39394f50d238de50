"""Claim by a person (个人认领): from an old name and phone to the backups kept under them.

The procedure, notice section 三 (备份信息认领功能):

1. What was typed is counted against every limit; only then is the claim open. Nothing has been looked up
   yet, so the answer is the same whoever was meant.
2. After the answer the old platform's records are looked up. On a match a code (验证码) goes to the number on
   record; without one nothing is sent, and nothing else differs.
3. Another code can be asked for after 60 seconds, and is counted like the first.
4. Five codes may be tried; then the claim is locked (锁定). With the last code's validity it lapses (失效).
5. The right code moves all numbered backups on record of the claimant's unit, in one transaction.
6. What is on record of another unit waits for that unit's administrator (单位确认), 30 days at most.

Durations and counts come from ``rules/procedures/claiming.yaml``; those above are its defaults. Tries, codes
and decisions are kept in the claim's rows, counted under one lock: no crash and no fresh run forgets one.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.blocking import BlockActivities
    from activities.claims import ClaimActivities
    from activities.sms.outbox import SmsActivities
    from schemas.claims import CLOSED
    from schemas.contracts.backups import operation_id
    from schemas.contracts.claims import (
        ClaimCommand,
        ClaimOrder,
        ClaimProgress,
        ClaimStands,
        CodeAsked,
        CodeAttempt,
        CodeIssued,
        CodeTried,
        Decide,
        Decision,
        OpenClaim,
        TryCode,
        seconds_until,
    )
    from schemas.contracts.sms import SendMessage
    from schemas.contracts.stuck import ResolveBlock, ReturnCase
    from schemas.errors import Refusal
    from wire.readable import Readable
    from wire.refusals import failure, refusal_in
    from workflows.blocking import Blocking
    from workflows.board import Board
    from workflows.transaction import PATIENT, TRANSACTION, transact

MOVING = timedelta(minutes=2)
"""A move of any size is one transaction as well, of which no sign of life can be had."""
SENDING = timedelta(seconds=30)
ANSWERING = timedelta(milliseconds=500)
"""How long the look-up waits for the answer to go out: what a match makes to do must not slow its answer."""
OPENING = timedelta(minutes=1)
"""How long a claim waits to be opened: a crash can take the very update away that was to open it."""
SETTLING = timedelta(seconds=1)
"""How long late guesses are turned away before a locked claim ends: it cannot end while they arrive."""


@workflow.defn(name="Claim")
class Claim(Blocking):
    """One run per claim; see the module for the procedure."""

    @workflow.init
    def __init__(self, opening: OpenClaim) -> None:
        self._opening = opening
        self._progress = opening.progress or ClaimProgress(due_at=workflow.now() + OPENING)
        self._block = opening.block
        self._stands: ClaimStands | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._board = Board("claim")

    @workflow.run
    async def run(self, opening: OpenClaim) -> ClaimStands:
        """Do what is asked for, and what falls due, until the claim is closed."""
        self._tell()
        while not self._is_closed():
            await self._until_something_is_to_do()
            if self._wants_move():
                self._stand(await self._in_background("move_claim", self._move()))
            elif self._wants_code() and not self._is_closed():
                await self._in_background("issue_code", self._issue_code())
            elif self._is_due():
                self._stand(await self._in_background("lapse_claim", self._lapse()))
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
                lambda: self._has_something_to_do() or (blocked and self._block is None),
                timeout=None if due is None else max(due - workflow.now(), timedelta()),
                timeout_summary=Readable("下一个期限：到时失效"),
            )
        except TimeoutError:
            return

    def _has_something_to_do(self) -> bool:
        wanted = self._wants_move() or self._wants_code()
        return self._is_closed() or wanted or self._may_start_fresh_run()

    def _is_closed(self) -> bool:
        return self._progress.state in CLOSED and self._progress.due_at is None

    def _is_due(self) -> bool:
        due = self._progress.due_at
        idle = self._block is None and not self._is_closed()
        return idle and due is not None and workflow.now() >= due

    def _wants_move(self) -> bool:
        return self._block is None and self._progress.state == "moving"

    def _wants_code(self) -> bool:
        return self._block is None and self._progress.issued < self._progress.asked

    def _may_start_fresh_run(self) -> bool:
        info = workflow.info()
        long = info.get_current_history_length() >= self._opening.events_per_run
        idle = workflow.all_handlers_finished() and not self._sending
        return idle and not self._is_closed() and (long or info.is_continue_as_new_suggested())

    def _may_skip(self, effect: str) -> bool:
        return effect == "issue_code"

    def _skip(self, effect: str) -> None:
        self._change(issued=self._progress.asked)

    def _may_return(self, effect: str) -> bool:
        return self._progress.state not in CLOSED

    async def _return(self, effect: str, command: ResolveBlock) -> None:
        returning = ReturnCase(
            operation_id=command.operation_id,
            case_kind="claim",
            case_id=self._opening.claim_id,
            at=workflow.now(),
        )
        returned = await transact(BlockActivities.return_case, returning, "退回申请人")
        self._stand(ClaimStands(state=returned.state))

    # --- effects ----------------------------------------------------------------------------------

    async def _issue_code(self) -> None:
        """Look up, and send on a match: apart from the answer, which goes out first."""
        asked = self._progress.asked
        await workflow.sleep(ANSWERING, summary=Readable("先答复，后核对"))
        issued = await workflow.execute_activity_method(
            ClaimActivities.issue_code,
            self._order(f"code {asked}"),
            start_to_close_timeout=TRANSACTION,
            retry_policy=PATIENT,
            summary=Readable("核对并签发验证码"),
        )
        later = max(issued.due_at, self._progress.due_at or issued.due_at)
        waiting = self._progress.state == "waiting_for_code"
        self._change(issued=asked, due_at=later if waiting else self._progress.due_at)
        if issued.message_id is not None:
            sending = asyncio.create_task(self._send(issued))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)

    async def _send(self, issued: CodeIssued) -> None:
        """Send the message, beside whatever else is asked meanwhile; what became of it is in the outbox."""
        assert issued.message_id is not None  # noqa: S101  (called on a match only)
        try:
            await workflow.execute_activity_method(
                SmsActivities.send_message,
                SendMessage(message_id=issued.message_id),
                start_to_close_timeout=SENDING,
                schedule_to_close_timeout=max(issued.due_at - workflow.now(), SENDING),
                retry_policy=PATIENT,
                summary=Readable("发送验证码"),
            )
        except ActivityError:
            workflow.logger.warning("message not sent in time")

    async def _move(self) -> ClaimStands:
        return await workflow.execute_activity_method(
            ClaimActivities.move_claim,
            self._order("move"),
            start_to_close_timeout=MOVING,
            retry_policy=PATIENT,
            summary=Readable("移交原备份"),
        )

    async def _lapse(self) -> ClaimStands:
        return await transact(
            ClaimActivities.lapse_claim, self._order(f"lapse {self._progress.due_at}"), "到期处理"
        )

    def _stand(self, stands: ClaimStands | None) -> None:
        """Take over how the claim stands in the database, if it is told; nothing opens a closed one again."""
        if stands is None or self._is_closed():
            return
        if stands.state != self._progress.state:
            self._board.show_stage(stands.state, stands.due_at)
        self._stands = stands
        asked = max(self._progress.asked, stands.asked)
        self._change(state=stands.state, due_at=stands.due_at, asked=asked)

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
    async def begin(self, command: ClaimCommand) -> CodeAsked:
        """Count what was typed, and open the claim."""
        try:
            asked = await transact(ClaimActivities.open_claim, self._order_of(command), "受理认领")
        except FailureError:
            if self._progress.state == "stored":  # there is no claim to wait for
                self._stand(ClaimStands(state="lapsed"))
            raise
        self._await_code(asked)
        return asked

    @workflow.update
    async def resend(self, command: ClaimCommand) -> CodeAsked:
        """Count that another code is asked for; it is sent on a match."""
        try:
            asked = await transact(ClaimActivities.ask_for_code, self._order_of(command), "再次获取验证码")
        except FailureError as error:
            self._turn_away_until(error)
            raise
        self._await_code(asked)
        return asked

    @workflow.update
    async def try_code(self, command: CodeAttempt) -> CodeTried:
        """Compare a typed code; the right one moves the backups, which the answer waits for."""
        order = self._order_of(command)
        tried = await transact(
            ClaimActivities.try_code, TryCode(**order.model_dump(), digest=command.digest), "核对验证码"
        )
        if tried.accepted or tried.state == "locked":
            self._stand(ClaimStands(state=tried.state, due_at=tried.due_at))
        if tried.accepted:
            await workflow.wait_condition(lambda: self._progress.state != "moving")
        return tried

    @workflow.update
    async def decide(self, command: Decision) -> ClaimStands:
        """Hear the administrator of a unit on record (单位确认)."""
        order = self._order_of(command)
        decided = await workflow.execute_activity_method(
            ClaimActivities.decide_claim,
            Decide(**order.model_dump(), account_id=command.account_id, agreed=command.agreed),
            start_to_close_timeout=MOVING,
            retry_policy=PATIENT,
            summary=Readable("单位确认"),
        )
        self._stand(decided)
        return decided

    @begin.validator
    def _may_begin(self, command: ClaimCommand) -> None:
        self._require_open("claim_closed")

    @resend.validator
    def _may_resend(self, command: ClaimCommand) -> None:
        self._require_open("claim_closed")
        resend_at = self._progress.resend_at
        if resend_at is not None and workflow.now() < resend_at:
            wait = seconds_until(resend_at, workflow.now())
            raise failure(Refusal("too_many_claims", retry_after=wait))

    @try_code.validator
    def _may_try_code(self, command: CodeAttempt) -> None:
        self._require_open("code_not_accepted")

    @decide.validator
    def _may_decide(self, command: Decision) -> None:
        self._require_open("claim_closed")

    def _require_open(self, code: str) -> None:
        if self._is_closed():
            raise failure(Refusal(code))

    def _await_code(self, asked: CodeAsked) -> None:
        state = "waiting_for_code" if self._progress.state == "stored" else self._progress.state
        newest = max(self._progress.asked, asked.asked)
        self._change(state=state, asked=newest, resend_at=asked.resend_at, due_at=asked.due_at)

    def _turn_away_until(self, error: FailureError) -> None:
        """Let no further request for a code leave a trace until the limit has room again."""
        refusal = refusal_in(error)
        if refusal is not None and refusal.error.code == "too_many_claims":
            later = workflow.now() + timedelta(seconds=int(refusal.facts["retry_after"]))
            self._change(resend_at=max(later, self._progress.resend_at or later))

    def _order_of(self, command: ClaimCommand) -> ClaimOrder:
        return ClaimOrder(
            operation_id=command.operation_id, claim_id=self._opening.claim_id, at=workflow.now()
        )

    @workflow.query
    def progress(self) -> ClaimProgress:
        """Stage, deadline and counts, for operators."""
        return self._progress
