"""What happens to a backup in the database. Each method is one transaction, harmless when repeated."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, TypeVar
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, bindparam, delete, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import SQLModel, select
from temporalio import activity

from rules.engine.procedures import BackupCreationProcedure, NumberFormat
from schemas.contracts import backups as contract
from schemas.contracts.backups import Message
from schemas.errors import Refusal
from schemas.tables.backups import (
    OPEN_STATES,
    Backup,
    BackupState,
    DepositCheck,
    Notice,
    Operation,
)
from store.database import Writer, writing
from store.forms import FormStore
from store.releases import Rulebooks
from store.submissions import assess, awaiting
from wire.refusals import failure

Answer = TypeVar("Answer", bound=Message)


class _Order(Protocol):
    """What every order says."""

    @property
    def operation_id(self) -> UUID: ...
    @property
    def backup_id(self) -> UUID: ...
    @property
    def at(self) -> datetime: ...


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

        def effect(writer: Writer, backup: Backup) -> contract.StepRecorded:
            command = order.command
            _require_open(backup, command.account_id)
            procedure = self._rulebooks.in_force(writer, order.at).release.procedure("backup-creation")
            awaited = _save(writer, backup, order, procedure)
            return contract.StepRecorded(
                saved=contract.StepSaved(
                    step=command.step,
                    revision=command.revision + 1,
                    saved_at=order.at,
                    expires_at=backup.expires_at,
                    awaiting=awaited,
                ),
                remind_at=procedure.remind_at(order.at),
                recheck_every=procedure.recheck_deposits_every,
            )

        return self._once(order, "save_step", contract.StepRecorded, effect, lambda: _opened(order))

    @activity.defn
    def seal_backup(self, order: contract.SealBackup) -> contract.Sealed:
        """Judge a submission by the release in force that day; number the backup when it is accepted.

        Refuses ``not_allowed``, ``backup_closed``. When a list has not been judged by that release, it
        changes nothing and names the list.
        """

        def effect(writer: Writer, backup: Backup) -> contract.Sealed:
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
            return self._once(order, "submit", contract.Sealed, effect)
        except _UnjudgedError as unjudged:
            return unjudged.sealed

    @activity.defn
    def close_backup(self, order: contract.CloseBackup) -> contract.Closed:
        """Close a draft as withdrawn or expired. Refuses ``not_allowed``, ``backup_closed``.

        The procedure itself is told how the backup is closed already: a crash can lose an update after its
        transaction, and then it is the deadline that finds the draft closed.
        """

        def effect(writer: Writer, backup: Backup) -> contract.Closed:
            if order.account_id is None and backup.state not in OPEN_STATES:
                return contract.Closed.model_validate({"state": backup.state, "number": backup.number})
            _require_open(backup, order.account_id)
            backup.state, backup.closed_at = BackupState(order.state), order.at
            return contract.Closed(state=order.state)

        return self._once(order, order.state, contract.Closed, effect)

    @activity.defn
    def record_deposits(self, order: contract.RecordDeposits) -> contract.DepositsChecked:
        """Record what is known of deposits on their way, and say which are still awaited."""

        def effect(writer: Writer, backup: Backup) -> contract.DepositsChecked:
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

        return self._once(order, "check_deposits", contract.DepositsChecked, effect)

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
        order: _Order,
        kind: str,
        model: type[Answer],
        effect: Callable[[Writer, Backup], Answer],
        open_: Callable[[], Backup] | None = None,
    ) -> Answer:
        """Run an effect and keep its answer in one transaction; an operation that has one gets it again.

        The backup is locked first: what is read after that is what an overlapping attempt has left behind.

        Args:
            order: What is asked.
            kind: What the ledger calls it.
            model: Of the answer.
            effect: Changes the backup.
            open_: Makes the backup when there is none.
        """
        try:
            with writing(self._engine) as writer:
                backup = writer.get(Backup, order.backup_id, with_for_update=True)
                answered = select(Operation.outcome).where(Operation.id == order.operation_id)
                outcome = writer.exec(answered).first()
                if outcome is not None:
                    return model.model_validate(outcome)
                if backup is None:
                    backup = open_() if open_ else writer.get_one(Backup, order.backup_id)
                    writer.add(backup)
                answer = effect(writer, backup)
                _keep(writer, order, kind, answer)
                return answer
        except Refusal as refusal:
            raise failure(refusal) from None


class _UnjudgedError(Exception):
    """Leaves the transaction without an answer: the operation goes on once the lists are judged."""

    def __init__(self, sealed: contract.Sealed) -> None:
        super().__init__()
        self.sealed = sealed


def _save(
    writer: Writer, backup: Backup, order: contract.RecordStep, procedure: BackupCreationProcedure
) -> list[str]:
    """Save the step; tell the repositories that are awaited now."""
    command = order.command
    try:
        step = procedure.step(command.step)
    except KeyError:
        raise Refusal("unknown_step") from None
    backup.saved_at = order.at
    backup.expires_at = order.at + procedure.expires_after
    if step is procedure.steps[0] and step.kind == "form":
        title = writer.execute(_TITLE, {"content_id": command.content_id}).scalar()
        backup.title = title if isinstance(title, str) else None
    if backup in writer.new:
        writer.flush()
    with writer.no_autoflush:  # one UPDATE of the backup, when all that changes it is known
        _advance(writer, order)
        if step.kind == "manifest":  # a new list tells anew what is on its way
            writer.execute(_FORGET_DEPOSITS, {"backup_id": order.backup_id})
        awaited = awaiting(writer, order.backup_id)
    backup.state = BackupState.WAITING_FOR_DEPOSIT if awaited else BackupState.DRAFT
    return awaited


def _keep(writer: Writer, order: _Order, kind: str, answer: Message) -> None:
    """Write the answer into the ledger; a timer's or an operator's operation is not there yet."""
    now = datetime.now(UTC)
    asked = {"id": order.operation_id, "backup_id": order.backup_id, "kind": kind, "asked_at": now}
    answered = {"outcome": answer.model_dump(mode="json"), "finished_at": now}
    writer.execute(_ANSWER, {**asked, "request_digest": "", **answered})


def _advance(writer: Writer, order: contract.RecordStep) -> None:
    """Let the step refer to the new content, if it stands at the revision that is replaced."""
    command = order.command
    saved = {
        "backup_id": order.backup_id,
        "step": command.step,
        "content_id": command.content_id,
        "saved_at": order.at,
        "saved_by": command.account_id,
    }
    if command.revision == 0:
        done = writer.execute(_FIRST_SAVE, {**saved, "revision": 1})
    else:
        done = writer.execute(
            _LATER_SAVE, {f"new_{name}": value for name, value in saved.items()} | {"old": command.revision}
        )
    if done.first() is None:
        raise Refusal("stale_revision")


def _opened(order: contract.RecordStep) -> Backup:
    return Backup(
        id=order.backup_id,
        state=BackupState.DRAFT,
        creator_id=order.creator_id,
        delegate_id=order.creator_id,
        unit_code=order.unit_code,
        created_at=order.at,
        saved_at=order.at,
        expires_at=order.at,
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
    serial: int = writer.execute(_NEXT_SERIAL, {"day": day}).scalar_one()
    return format_.number(day, serial)


# Statements of every save and submission, built once; on tables, free of the session's bookkeeping.
_OPERATIONS, _SERIALS, _STEPS, _FORMS, _CHECKS = (
    SQLModel.metadata.tables[name]
    for name in ("operation", "number_serial", "backup_step", "form_content", "deposit_check")
)
_TITLE = select(_FORMS.c.body["title"]).where(_FORMS.c.id == bindparam("content_id"))
_FIRST_SAVE = insert(_STEPS).on_conflict_do_nothing().returning(_STEPS.c.revision)
_LATER_SAVE = (
    update(_STEPS)
    .where(
        _STEPS.c.backup_id == bindparam("new_backup_id"),
        _STEPS.c.step == bindparam("new_step"),
        _STEPS.c.revision == bindparam("old"),
    )
    .values(
        revision=_STEPS.c.revision + 1,
        **{name: bindparam(f"new_{name}") for name in ("content_id", "saved_at", "saved_by")},
    )
    .returning(_STEPS.c.revision)
)
_FORGET_DEPOSITS = delete(_CHECKS).where(_CHECKS.c.backup_id == bindparam("backup_id"))
_ASKED = insert(_OPERATIONS)
_ANSWER = _ASKED.on_conflict_do_update(
    index_elements=["id"],
    set_={"outcome": _ASKED.excluded.outcome, "finished_at": _ASKED.excluded.finished_at},
)
_NEXT_SERIAL = (
    insert(_SERIALS)
    .values(day=bindparam("day"), last=1)
    .on_conflict_do_update(index_elements=["day"], set_={"last": _SERIALS.c.last + 1})
    .returning(_SERIALS.c.last)
)
