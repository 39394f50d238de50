"""What happens to a backup in the database. Each method is one transaction, harmless when repeated."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, delete
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col
from temporalio import activity

from rules.engine.procedures import BackupCreationProcedure, NumberFormat
from schemas.contracts import backups as contract
from schemas.contracts.backups import Message
from schemas.errors import Refusal
from schemas.tables.backups import (
    OPEN_STATES,
    Backup,
    BackupState,
    BackupStep,
    DepositCheck,
    Notice,
    NumberSerial,
    Operation,
)
from schemas.tables.contents import FormContent
from store.database import Writer, writing
from store.forms import FormStore
from store.releases import Rulebooks
from store.submissions import assess, awaiting
from wire.refusals import failure

Answer = TypeVar("Answer", bound=Message)


class BackupActivities:
    """Saves, seals and closes backups."""

    def __init__(self, engine: Engine, rulebooks: Rulebooks, forms: FormStore) -> None:
        self._engine = engine
        self._rulebooks = rulebooks
        self._forms = forms

    @activity.defn
    def record_step(self, order: contract.RecordStep) -> contract.StepRecorded:
        """Let a step refer to stored content, opening the backup when it is the first.

        Refuses ``not_allowed``, ``backup_closed``, ``stale_revision``, ``unknown_step``.
        """

        def effect(writer: Writer) -> contract.StepRecorded:
            command = order.command
            procedure = self._rulebooks.in_force(writer, order.at).release.procedure("backup-creation")
            if all(step.id != command.step for step in procedure.steps):
                raise Refusal("unknown_step")
            backup = writer.get(Backup, order.backup_id, with_for_update=True)
            if backup is None:
                backup = _opened(order, procedure)
                writer.add(backup)
                writer.flush()
            _require_open(backup, command.account_id)
            self._save(writer, order, procedure, backup)
            return contract.StepRecorded(
                saved=contract.StepSaved(
                    step=command.step,
                    revision=command.revision + 1,
                    saved_at=order.at,
                    expires_at=backup.expires_at,
                    awaiting=awaiting(writer, order.backup_id),
                ),
                remind_at=[
                    backup.expires_at - before for before in sorted(procedure.reminders_before, reverse=True)
                ],
                recheck_every=procedure.recheck_deposits_every,
            )

        return self._once(order.operation_id, order.backup_id, "save_step", contract.StepRecorded, effect)

    def _save(
        self, writer: Writer, order: contract.RecordStep, procedure: BackupCreationProcedure, backup: Backup
    ) -> None:
        command = order.command
        step = writer.get(BackupStep, (order.backup_id, command.step))
        if command.revision != (step.revision if step else 0):
            raise Refusal("stale_revision")
        saved = BackupStep(
            backup_id=order.backup_id,
            step=command.step,
            revision=command.revision + 1,
            content_id=command.content_id,
            saved_at=order.at,
            saved_by=command.account_id,
        )
        writer.merge(saved)
        backup.saved_at = order.at
        backup.expires_at = order.at + procedure.expires_after
        form = writer.get(FormContent, command.content_id)
        if form is None:  # a new list tells anew what is on its way
            writer.execute(delete(DepositCheck).where(col(DepositCheck.backup_id) == order.backup_id))
        elif command.step == procedure.steps[0].id:
            title = form.body.get("title")
            backup.title = title if isinstance(title, str) else None
        writer.flush()
        backup.state = (
            BackupState.WAITING_FOR_DEPOSIT if awaiting(writer, order.backup_id) else BackupState.DRAFT
        )

    @activity.defn
    def seal_backup(self, order: contract.SealBackup) -> contract.Sealed:
        """Judge a submission by the release in force that day; number the backup when it is accepted.

        Refuses ``not_allowed``, ``backup_closed``. When a list has not been judged by that release, it
        changes nothing and names the list.
        """

        def effect(writer: Writer) -> contract.Sealed:
            backup = writer.get_one(Backup, order.backup_id, with_for_update=True)
            _require_open(backup, order.command.account_id)
            rulebook = self._rulebooks.in_force(writer, order.at)
            release = rulebook.release
            assessment = assess(writer, rulebook, self._forms, order.backup_id)
            if assessment.unjudged:
                raise _UnjudgedError(contract.Sealed(release=release.digest, unjudged=assessment.unjudged))
            number = None
            if assessment.accepted:
                number = _next_number(writer, release.procedure("backup-creation").number, order.at)
                backup.state, backup.number = BackupState.NUMBERED, number
                backup.closed_at, backup.release_digest = order.at, release.digest
            verdict = contract.Verdict(
                accepted=assessment.accepted,
                number=number,
                release=release.digest,
                errors=assessment.counts.error,
                awaiting=assessment.awaiting,
            )
            return contract.Sealed(release=release.digest, verdict=verdict)

        try:
            return self._once(order.operation_id, order.backup_id, "submit", contract.Sealed, effect)
        except _UnjudgedError as unjudged:
            return unjudged.sealed

    @activity.defn
    def close_backup(self, order: contract.CloseBackup) -> contract.Closed:
        """Close a draft as withdrawn or expired. Refuses ``not_allowed``, ``backup_closed``.

        The procedure itself is told how the backup is closed already: a crash can lose an update after its
        transaction, and then it is the deadline that finds the draft closed.
        """

        def effect(writer: Writer) -> contract.Closed:
            backup = writer.get_one(Backup, order.backup_id, with_for_update=True)
            if order.account_id is None and backup.state not in OPEN_STATES:
                return contract.Closed.model_validate({"state": backup.state, "number": backup.number})
            _require_open(backup, order.account_id)
            backup.state, backup.closed_at = BackupState(order.state), order.at
            return contract.Closed(state=order.state)

        return self._once(order.operation_id, order.backup_id, order.state, contract.Closed, effect)

    @activity.defn
    def record_deposits(self, order: contract.RecordDeposits) -> contract.DepositsChecked:
        """Record what is known of deposits on their way, and say which are still awaited."""

        def effect(writer: Writer) -> contract.DepositsChecked:
            backup = writer.get_one(Backup, order.backup_id, with_for_update=True)
            if order.account_id is None and backup.state not in OPEN_STATES:
                return contract.DepositsChecked()
            _require_open(backup, order.account_id)
            awaited = awaiting(writer, order.backup_id)
            for answer in order.answers:  # a look-up may come late: what arrived meanwhile has arrived
                if answer.repository in awaited:
                    check = DepositCheck(
                        backup_id=order.backup_id, checked_at=order.at, **answer.model_dump()
                    )
                    writer.merge(check)
            writer.flush()
            still = awaiting(writer, order.backup_id)
            backup.state = BackupState.WAITING_FOR_DEPOSIT if still else BackupState.DRAFT
            return contract.DepositsChecked(awaiting=still)

        return self._once(
            order.operation_id, order.backup_id, "check_deposits", contract.DepositsChecked, effect
        )

    @activity.defn
    def send_reminder(self, order: contract.SendReminder) -> None:
        """Leave the delegate a notice that a draft is about to expire."""
        with writing(self._engine) as writer:
            backup = writer.get_one(Backup, order.backup_id)
            if backup.state not in OPEN_STATES:
                return
            notice = {
                "id": uuid5(order.backup_id, f"reminder {order.due_at.isoformat()}"),
                "account_id": backup.delegate_id,
                "backup_id": order.backup_id,
                "kind": "draft_expires",
                "due_at": order.expires_at,
                "created_at": order.at,
            }
            writer.execute(insert(Notice).values(notice).on_conflict_do_nothing())

    def _once(
        self,
        operation_id: UUID,
        backup_id: UUID,
        kind: str,
        model: type[Answer],
        effect: Callable[[Writer], Answer],
    ) -> Answer:
        """Run an effect and keep its answer in one transaction; an operation that has one gets it again."""
        try:
            with writing(self._engine) as writer:
                operation = writer.get(Operation, operation_id, with_for_update=True)
                if operation is not None and operation.outcome is not None:
                    return model.model_validate(operation.outcome)
                answer = effect(writer)
                if operation is None:  # asked by a timer or an operator, not through the API
                    operation = Operation(id=operation_id, backup_id=backup_id, kind=kind, request_digest="")
                    writer.add(operation)
                operation.outcome = answer.model_dump(mode="json")
                operation.finished_at = datetime.now(UTC)
                return answer
        except Refusal as refusal:
            raise failure(refusal) from None


class _UnjudgedError(Exception):
    """Leaves the transaction without an answer: the operation goes on once the lists are judged."""

    def __init__(self, sealed: contract.Sealed) -> None:
        super().__init__()
        self.sealed = sealed


def _opened(order: contract.RecordStep, procedure: BackupCreationProcedure) -> Backup:
    return Backup(
        id=order.backup_id,
        state=BackupState.DRAFT,
        creator_id=order.creator_id,
        delegate_id=order.creator_id,
        unit_code=order.unit_code,
        created_at=order.at,
        saved_at=order.at,
        expires_at=order.at + procedure.expires_after,
    )


def _require_open(backup: Backup, account_id: UUID | None) -> None:
    """Only its delegate, at this very moment, and only while it is a draft. None is the procedure itself."""
    if account_id is not None and account_id != backup.delegate_id:
        raise Refusal("not_allowed")
    if backup.state not in OPEN_STATES:
        raise Refusal("backup_closed", state=str(backup.state))


def _next_number(writer: Writer, format_: NumberFormat, at: datetime) -> str:
    """The next backup number of that day; the row lock makes it unique, the transaction gapless."""
    day = at.astimezone(ZoneInfo(format_.time_zone)).date()
    first = insert(NumberSerial).values(day=day, last=1)
    later = first.on_conflict_do_update(index_elements=["day"], set_={"last": NumberSerial.last + 1})
    serial: int = writer.execute(later.returning(col(NumberSerial.last))).scalar_one()
    return format_.number(day, serial)
