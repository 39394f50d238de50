"""Backup creation (备份创建): from the first saved step to a backup number.

The procedure, notice section 二 (备份信息新建功能):

1. The first save of any step opens the draft (草稿).
2. Steps are saved in any order, as often as wanted; a save never fails for what it says.
3. A list with deposits still on their way to a repository makes the draft wait for them (等待递交);
   every day, and when asked, the repository is asked whether they have arrived.
4. 30 and 7 days before a draft expires, its delegate is reminded.
5. 180 days after the last save it expires (过期).
6. Until then its delegate may withdraw it (撤回).
7. Submission (提交) is judged by the release in force that day. What blocks is told, and the draft goes on.
8. Nothing blocks: the backup is sealed and gets its backup number (备份编号), in one transaction.
9. The correction (更正) of a numbered backup is a draft as well, which begins with the backup's contents;
   sealed, it is the next version of the backup, under the number that has.

Steps, durations and limits come from ``rules/procedures/backup-creation.yaml``; those above are its defaults.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.amendments import AmendmentActivities
    from activities.backups import BackupActivities
    from activities.deposits import DepositActivities
    from activities.manifests import ManifestActivities
    from schemas.contracts.amendments import Correct, CorrectionOpened, CorrectionOrder
    from schemas.contracts.backups import (
        CheckDeposits,
        CloseBackup,
        Closed,
        DepositAnswer,
        DepositsChecked,
        JudgeManifest,
        LookUpDeposits,
        OpenBackup,
        Progress,
        RecordDeposits,
        RecordStep,
        SaveStep,
        SealBackup,
        SendReminder,
        StepSaved,
        Submit,
        Verdict,
        Withdraw,
        operation_id,
    )
    from schemas.errors import Refusal
    from schemas.stages import closed_lines, open_lines
    from wire import search_attributes
    from wire.readable import Readable
    from wire.refusals import failure
    from workflows.blocking import Blocking
    from workflows.board import Board
    from workflows.transaction import transact

LOOK_UP = timedelta(minutes=2)
JUDGING = timedelta(minutes=30)
HEARTBEAT = timedelta(minutes=1)
SETTLING = timedelta(seconds=1)
"""How long late updates are turned away before a workflow ends that many wanted to change at once."""


@workflow.defn(name="BackupCreation")
class BackupCreation(Blocking):
    """One run per draft; see the module for the procedure."""

    @workflow.init
    def __init__(self, opening: OpenBackup) -> None:
        self._opening = opening
        self._progress = opening.progress or Progress()
        self._block = opening.block
        self._closed: Closed | None = None
        self._board = Board("backup", opening.due_at)
        self._crowded = False
        """Whether somebody came too late. A workflow cannot end in a task during which an update arrives: the
        task is thrown away, and a crowd that keeps coming would keep it from ever ending."""
        self._turn = asyncio.Lock()
        """One change of the draft at a time, each seeing what the one before it did."""

    @workflow.run
    async def run(self, opening: OpenBackup) -> Closed:
        """Wait for updates and deadlines until the backup is closed."""
        self._tell()
        while self._closed is None:
            await self._until_due_or_closed()
            if self._closed is None and self._run_is_long():
                await workflow.wait_condition(workflow.all_handlers_finished)
                self._start_fresh_run()
            if self._is_due(self._progress.recheck_at):
                await self._recheck()
            async with self._turn:
                await self._do_what_is_due()
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._crowded:
            await workflow.sleep(SETTLING, summary=Readable("等待其余请求退出"))
        return self._closed

    # --- waiting ----------------------------------------------------------------------------------

    async def _until_due_or_closed(self) -> None:
        """Sleep. Saves move the deadline on without touching this timer, so it may ring early: harmless."""
        due = self._next_due()
        self._board.show_deadline(due)
        try:
            await workflow.wait_condition(
                lambda: self._closed is not None or self._run_is_long() or self._due_before(due),
                timeout=None if due is None else max(due - workflow.now(), timedelta()),
                timeout_summary=Readable("下一个期限：提醒、查询递交情况或过期"),
            )
        except TimeoutError:
            return

    def _next_due(self) -> datetime | None:
        return None if self._block is not None else self._progress.next_due

    def _due_before(self, armed: datetime | None) -> bool:
        due = self._next_due()
        return due is not None and (armed is None or due < armed)

    def _run_is_long(self) -> bool:
        info = workflow.info()
        long = info.get_current_history_length() >= self._opening.events_per_run
        return long or info.is_continue_as_new_suggested()

    def _start_fresh_run(self) -> None:
        if self._closed is None:
            carried = {"progress": self._progress, "due_at": self._board.due_at, "block": self._block}
            workflow.continue_as_new(self._opening.model_copy(update=carried))

    def _is_due(self, at: datetime | None) -> bool:
        idle = self._closed is None and self._block is None
        return idle and at is not None and workflow.now() >= at

    async def _do_what_is_due(self) -> None:
        progress = self._progress
        if self._is_due(progress.expires_at):
            await self._in_background("close_backup", self._expire())
        elif progress.expires_at and self._is_due(min(progress.remind_at, default=None)):
            await self._in_background(
                "send_reminder", self._remind(progress.remind_at[0], progress.expires_at)
            )

    async def _expire(self) -> None:
        """Close the draft as expired, or learn how it was closed by an update that a crash took away."""
        await self._close("expiry", "expired", None)

    async def _remind(self, due_at: datetime, expires_at: datetime) -> None:
        order = SendReminder(
            backup_id=self._opening.backup_id, due_at=due_at, expires_at=expires_at, at=workflow.now()
        )
        await transact(BackupActivities.send_reminder, order, "提醒委托人草稿即将过期")
        self._change(remind_at=[at for at in self._progress.remind_at if at > due_at])

    async def _recheck(self) -> None:
        due_at, revisions = self._progress.recheck_at, self._progress.revisions
        # outside the turn: a slow repository must not hold up saves
        answers = await self._in_background("look_up", self._look_up())
        async with self._turn:
            current = self._closed is None and revisions == self._progress.revisions
            if answers is not None and current:
                await self._in_background(
                    "record_deposits", self._record_deposits(f"recheck {due_at}", None, answers)
                )

    def _may_skip(self, effect: str) -> bool:
        return effect in ("look_up", "record_deposits", "send_reminder")

    def _skip(self, effect: str) -> None:
        progress = self._progress
        if effect == "send_reminder":
            self._change(remind_at=progress.remind_at[1:])
        elif progress.recheck_at is not None:
            self._change(recheck_at=workflow.now() + progress.recheck_every)

    # --- changes ----------------------------------------------------------------------------------

    async def _record_step(self, update_id: str, command: SaveStep) -> StepSaved:
        opening = self._opening
        order = RecordStep(
            **self._order(update_id),
            creator_id=opening.creator_id,
            unit_code=opening.unit_code,
            command=command,
        )
        recorded = await transact(BackupActivities.record_step, order, f"保存步骤 {command.step}")
        saved = recorded.saved
        if self._progress.revisions.get(saved.step, 0) < saved.revision:  # else answered by an earlier run
            self._change(
                revisions=self._progress.revisions | {saved.step: saved.revision},
                expires_at=saved.expires_at,
                remind_at=recorded.remind_at,
                recheck_every=recorded.recheck_every,
            )
            if saved.awaiting != self._progress.awaiting:  # else a save must not put the next look-up off
                self._await_deposits(saved.awaiting)
        return saved

    async def _seal(self, update_id: str, command: Submit) -> Verdict:
        order = SealBackup(**self._order(update_id), command=command)
        while True:
            sealed = await transact(BackupActivities.seal_backup, order, "按当日规则校验，合格即编号")
            if sealed.verdict is not None:
                break
            for manifest_id in sealed.unjudged:
                await workflow.execute_activity_method(
                    ManifestActivities.judge_manifest,
                    JudgeManifest(manifest_id=manifest_id, release=sealed.release),
                    start_to_close_timeout=JUDGING,
                    heartbeat_timeout=HEARTBEAT,
                    summary=Readable("按新规则重新校验文件清单"),
                )
        if sealed.verdict.number is not None:
            self._finish(Closed(state="numbered", number=sealed.verdict.number), sealed.version)
        return sealed.verdict

    async def _close(
        self, update_id: str, state: Literal["withdrawn", "expired"], account_id: UUID | None
    ) -> Closed:
        order = CloseBackup(**self._order(update_id), state=state, account_id=account_id)
        summary = "过期" if state == "expired" else "撤回"
        closed = await transact(BackupActivities.close_backup, order, summary)
        self._finish(closed)
        return closed

    async def _look_up(self) -> list[DepositAnswer]:
        found = await workflow.execute_activity_method(
            DepositActivities.look_up,
            LookUpDeposits(backup_id=self._opening.backup_id),
            start_to_close_timeout=LOOK_UP,
            summary=Readable(f"查询 {', '.join(self._progress.awaiting) or '递交情况'}"),
        )
        return found.answers

    async def _record_deposits(
        self, update_id: str, account_id: UUID | None, answers: list[DepositAnswer]
    ) -> DepositsChecked:
        order = RecordDeposits(**self._order(update_id), account_id=account_id, answers=answers)
        checked = await transact(BackupActivities.record_deposits, order, "记录递交情况")
        self._await_deposits(checked.awaiting)
        return checked

    def _await_deposits(self, awaiting: list[str]) -> None:
        turned = bool(awaiting) != bool(self._progress.awaiting)
        recheck_at = workflow.now() + self._progress.recheck_every if awaiting else None
        self._change(awaiting=awaiting, recheck_at=recheck_at)
        if turned:
            self._board.show_stage(self._state(), self._next_due())

    def _finish(self, closed: Closed, release: str | None = None) -> None:
        self._closed = closed
        others = []
        if closed.number is not None:
            others.append(search_attributes.BACKUP_NUMBER.value_set(closed.number))
        if release is not None:
            others.append(search_attributes.RELEASE.value_set(release))
        self._board.show_stage(closed.state, None, *others)
        self._tell()

    def _order(self, update_id: str) -> dict[str, Any]:
        """What every order of a transaction begins with."""
        backup_id = self._opening.backup_id
        key = operation_id(backup_id, update_id)
        return {"operation_id": key, "backup_id": backup_id, "at": workflow.now()}

    def _change(self, **changes: object) -> None:
        self._progress = self._progress.model_copy(update=changes)
        self._tell()

    # --- what operators see -----------------------------------------------------------------------

    def _state(self) -> str:
        if self._closed is not None:
            return self._closed.state
        return "waiting_for_deposit" if self._progress.awaiting else "draft"

    def _tell(self) -> None:
        if self._closed is not None:
            self._board.tell(self._closed.state, None, *closed_lines(self._closed.number))
        else:
            progress = self._progress
            lines = open_lines(progress.awaiting, progress.expires_at)
            self._board.tell(self._state(), self._next_due(), *self._block_lines(), *lines)

    # --- updates ----------------------------------------------------------------------------------

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[None]:
        """The turn of one update, refused when the backup was closed while it waited."""
        async with self._turn:
            try:
                self._require_open()
                yield
            except ApplicationError as error:
                if error.type == "backup_closed":
                    self._crowded = True
                    if self._closed is None:
                        await self._expire()
                raise

    @asynccontextmanager
    async def _opening_or_changing(self) -> AsyncIterator[None]:
        """The turn of an update that may be the first: where it is refused, there is no draft to wait for."""
        async with self._changing():
            try:
                yield
            except FailureError:
                if not self._progress.revisions:
                    self._closed = Closed(state="refused")
                    self._tell()
                raise

    @workflow.update
    async def save_step(self, command: SaveStep) -> StepSaved:
        """Let one step refer to stored content; the first save opens the draft."""
        async with self._opening_or_changing():
            return await self._record_step(_update_id(), command)

    @save_step.validator
    def _may_save(self, command: SaveStep) -> None:
        self._require_open()
        # An earlier run may have answered this very update; only the activity's ledger knows.
        first_run = self._opening.progress is None
        if first_run and command.revision != self._progress.revisions.get(command.step, 0):
            raise failure(Refusal("stale_revision"))

    @workflow.update
    async def correct(self, command: Correct) -> CorrectionOpened:
        """Begin the draft with the contents of a numbered backup, to correct it."""
        async with self._opening_or_changing():
            order = CorrectionOrder(**self._order(_update_id()), command=command)
            opened = await transact(AmendmentActivities.open_correction, order, "以已编号的内容建立更正草稿")
            if not self._progress.revisions:  # else answered by an earlier run
                self._change(**opened.model_dump(exclude={"awaiting"}))
                self._await_deposits(opened.awaiting)
            return opened

    @workflow.update
    async def submit(self, command: Submit) -> Verdict:
        """Ask for the backup number."""
        async with self._changing():
            return await self._seal(_update_id(), command)

    @workflow.update
    async def withdraw(self, command: Withdraw) -> Closed:
        """Give the draft up."""
        async with self._changing():
            return await self._close(_update_id(), "withdrawn", command.account_id)

    @workflow.update
    async def check_deposits(self, command: CheckDeposits) -> DepositsChecked:
        """Hear whether deposits have arrived: from the person who was told so, or from the repositories."""
        if command.attested is not None:
            answers = [DepositAnswer(repository=command.attested, result="attested", source=command.source)]
            async with self._changing():
                return await self._record_deposits(_update_id(), command.account_id, answers)
        revisions = self._progress.revisions
        answers = await self._look_up()  # outside the turn: a slow repository must not hold up saves
        async with self._changing():
            if revisions != self._progress.revisions:
                answers = []  # they may speak of a list that has been replaced
            return await self._record_deposits(_update_id(), command.account_id, answers)

    @submit.validator
    def _may_submit(self, command: Submit) -> None:
        self._require_open()

    @withdraw.validator
    def _may_withdraw(self, command: Withdraw) -> None:
        self._require_open()

    @check_deposits.validator
    def _may_check_deposits(self, command: CheckDeposits) -> None:
        self._require_open()

    def _require_open(self) -> None:
        if self._closed is not None:
            raise failure(Refusal("backup_closed", state=self._closed.state))

    @workflow.query
    def progress(self) -> Progress:
        """Revisions, deadlines and what is awaited, for operators."""
        return self._progress


def _update_id() -> str:
    update = workflow.current_update_info()
    assert update is not None  # noqa: S101  (called by update handlers only)
    return update.id
