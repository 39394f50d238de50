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

Steps, durations and limits come from ``rules/procedures/backup-creation.yaml``; those above are its defaults.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributeUpdate
from temporalio.exceptions import ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.backups import BackupActivities
    from activities.deposits import DepositActivities
    from activities.manifests import ManifestActivities
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
    from wire import search_attributes
    from wire.refusals import failure

TRANSACTION = timedelta(seconds=20)
"""One database transaction; a longer one is dead, and tried again for as long as it takes."""
LOOK_UP = timedelta(minutes=2)
JUDGING = timedelta(minutes=30)
HEARTBEAT = timedelta(minutes=1)
SETTLING = timedelta(seconds=1)
"""How long late updates are turned away before a workflow ends that many wanted to change at once."""
PATIENT = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=30))


@workflow.defn(name="BackupCreation")
class BackupCreation:
    """One run per draft; see the module for the procedure."""

    @workflow.init
    def __init__(self, opening: OpenBackup) -> None:
        self._opening = opening
        self._progress = opening.progress or Progress()
        self._closed: Closed | None = None
        self._crowded = False
        """Whether somebody came too late. A workflow cannot end in a task during which an update arrives: the
        task is thrown away, and a crowd that keeps coming would keep it from ever ending."""
        self._turn = asyncio.Lock()
        """One change of the draft at a time, each seeing what the one before it did."""

    @workflow.run
    async def run(self, opening: OpenBackup) -> Closed:
        """Wait for updates and deadlines until the backup is closed."""
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
            await workflow.sleep(SETTLING, summary="等待其余请求退出")
        return self._closed

    # --- waiting ----------------------------------------------------------------------------------

    async def _until_due_or_closed(self) -> None:
        """Sleep. Saves move the deadline on without touching this timer, so it may ring early: harmless."""
        due = self._next_due()
        try:
            await workflow.wait_condition(
                lambda: self._closed is not None or self._run_is_long() or self._due_before(due),
                timeout=None if due is None else max(due - workflow.now(), timedelta()),
                timeout_summary="下一个期限",
            )
        except TimeoutError:
            return

    def _next_due(self) -> datetime | None:
        progress = self._progress
        recheck = [progress.recheck_at] if progress.recheck_at else []
        expiry = [progress.expires_at] if progress.expires_at else []
        return min([*progress.remind_at, *recheck, *expiry], default=None)

    def _due_before(self, armed: datetime | None) -> bool:
        due = self._next_due()
        return due is not None and (armed is None or due < armed)

    def _run_is_long(self) -> bool:
        info = workflow.info()
        long = info.get_current_history_length() >= self._opening.events_per_run
        return long or info.is_continue_as_new_suggested()

    def _start_fresh_run(self) -> None:
        if self._closed is None:
            workflow.continue_as_new(self._opening.model_copy(update={"progress": self._progress}))

    def _is_due(self, at: datetime | None) -> bool:
        return self._closed is None and at is not None and workflow.now() >= at

    async def _do_what_is_due(self) -> None:
        progress = self._progress
        if self._is_due(progress.expires_at):
            await self._expire()
        elif progress.expires_at and self._is_due(min(progress.remind_at, default=None)):
            await self._remind(progress.remind_at[0], progress.expires_at)

    async def _expire(self) -> None:
        """Close the draft as expired, or learn how it was closed by an update that a crash took away."""
        await self._close("expiry", "expired", None)

    async def _remind(self, due_at: datetime, expires_at: datetime) -> None:
        order = SendReminder(
            backup_id=self._opening.backup_id, due_at=due_at, expires_at=expires_at, at=workflow.now()
        )
        await workflow.execute_local_activity_method(
            BackupActivities.send_reminder, order, start_to_close_timeout=TRANSACTION, retry_policy=PATIENT
        )
        self._change(remind_at=[at for at in self._progress.remind_at if at > due_at])

    async def _recheck(self) -> None:
        due_at, revisions = self._progress.recheck_at, self._progress.revisions
        answers = await self._look_up()  # outside the turn: a slow repository must not hold up saves
        async with self._turn:
            if self._closed is None and revisions == self._progress.revisions:
                await self._record_deposits(f"recheck {due_at}", None, answers)

    # --- changes ----------------------------------------------------------------------------------

    async def _record_step(self, update_id: str, command: SaveStep) -> StepSaved:
        opening = self._opening
        order = RecordStep(
            operation_id=operation_id(opening.backup_id, update_id),
            backup_id=opening.backup_id,
            creator_id=opening.creator_id,
            unit_code=opening.unit_code,
            command=command,
            at=workflow.now(),
        )
        recorded = await workflow.execute_local_activity_method(
            BackupActivities.record_step, order, start_to_close_timeout=TRANSACTION, retry_policy=PATIENT
        )
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
        order = SealBackup(
            operation_id=operation_id(self._opening.backup_id, update_id),
            backup_id=self._opening.backup_id,
            command=command,
            at=workflow.now(),
        )
        while True:
            sealed = await workflow.execute_local_activity_method(
                BackupActivities.seal_backup, order, start_to_close_timeout=TRANSACTION, retry_policy=PATIENT
            )
            if sealed.verdict is not None:
                break
            for manifest_id in sealed.unjudged:
                await workflow.execute_activity_method(
                    ManifestActivities.judge_manifest,
                    JudgeManifest(manifest_id=manifest_id, release=sealed.release),
                    start_to_close_timeout=JUDGING,
                    heartbeat_timeout=HEARTBEAT,
                    summary="按新规则重新校验文件清单",
                )
        if sealed.verdict.number is not None:
            self._finish(Closed(state="numbered", number=sealed.verdict.number))
        return sealed.verdict

    async def _close(
        self, update_id: str, state: Literal["withdrawn", "expired"], account_id: UUID | None
    ) -> Closed:
        order = CloseBackup(
            operation_id=operation_id(self._opening.backup_id, update_id),
            backup_id=self._opening.backup_id,
            state=state,
            account_id=account_id,
            at=workflow.now(),
        )
        closed = await workflow.execute_local_activity_method(
            BackupActivities.close_backup, order, start_to_close_timeout=TRANSACTION, retry_policy=PATIENT
        )
        self._finish(closed)
        return closed

    async def _look_up(self) -> list[DepositAnswer]:
        found = await workflow.execute_activity_method(
            DepositActivities.look_up,
            LookUpDeposits(backup_id=self._opening.backup_id),
            start_to_close_timeout=LOOK_UP,
            summary="向数据资源库查询递交情况",
        )
        return found.answers

    async def _record_deposits(
        self, update_id: str, account_id: UUID | None, answers: list[DepositAnswer]
    ) -> DepositsChecked:
        order = RecordDeposits(
            operation_id=operation_id(self._opening.backup_id, update_id),
            backup_id=self._opening.backup_id,
            account_id=account_id,
            answers=answers,
            at=workflow.now(),
        )
        checked = await workflow.execute_local_activity_method(
            BackupActivities.record_deposits, order, start_to_close_timeout=TRANSACTION, retry_policy=PATIENT
        )
        self._await_deposits(checked.awaiting)
        return checked

    def _await_deposits(self, awaiting: list[str]) -> None:
        if bool(awaiting) != bool(self._progress.awaiting):
            self._show(search_attributes.STAGE.value_set("waiting_for_deposit" if awaiting else "draft"))
        recheck_at = workflow.now() + self._progress.recheck_every if awaiting else None
        self._change(awaiting=awaiting, recheck_at=recheck_at)

    def _finish(self, closed: Closed) -> None:
        self._closed = closed
        shown: list[SearchAttributeUpdate[str]] = [search_attributes.STAGE.value_set(closed.state)]
        if closed.number is not None:
            shown.append(search_attributes.BACKUP_NUMBER.value_set(closed.number))
        self._show(*shown)

    def _show(self, *updates: SearchAttributeUpdate[str]) -> None:
        workflow.upsert_search_attributes(updates)

    def _change(self, **changes: object) -> None:
        self._progress = self._progress.model_copy(update=changes)

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

    @workflow.update
    async def save_step(self, command: SaveStep) -> StepSaved:
        """Let one step refer to stored content; the first save opens the draft."""
        async with self._changing():
            try:
                return await self._record_step(_update_id(), command)
            except FailureError:
                if not self._progress.revisions:  # there is no draft to wait for
                    self._closed = Closed(state="refused")
                raise

    @save_step.validator
    def _may_save(self, command: SaveStep) -> None:
        self._require_open()
        # An earlier run may have answered this very update; only the activity's ledger knows.
        first_run = self._opening.progress is None
        if first_run and command.revision != self._progress.revisions.get(command.step, 0):
            raise failure(Refusal("stale_revision"))

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
            answers = [DepositAnswer(repository=command.attested, result="attested", source="account")]
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
