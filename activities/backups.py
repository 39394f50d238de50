"""What happens to a backup in the database. Each method is one transaction, harmless when repeated."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import SQLModel
from temporalio import activity

from rules.engine.procedures import BackupCreationProcedure, NumberFormat
from schemas.contracts import backups as contract
from schemas.contracts.backups import Message
from schemas.errors import Refusal
from schemas.tables.backups import OPEN_STATES, BackupState
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


class _Backup(NamedTuple):
    """A backup as its lock shows it."""

    state: BackupState
    delegate_id: UUID
    number: str | None


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

        def effect(writer: Writer, backup: _Backup) -> contract.StepRecorded:
            command = order.command
            _require_open(backup, command.account_id)
            procedure = self._rulebooks.in_force(writer, order.at).release.procedure("backup-creation")
            awaited = _save(writer, order, procedure)
            return contract.StepRecorded(
                saved=contract.StepSaved(
                    step=command.step,
                    revision=command.revision + 1,
                    saved_at=order.at,
                    expires_at=order.at + procedure.expires_after,
                    awaiting=awaited,
                ),
                remind_at=procedure.remind_at(order.at),
                recheck_every=procedure.recheck_deposits_every,
            )

        return self._once(order, "save_step", contract.StepRecorded, effect, lambda db: _open(db, order))

    @activity.defn
    def seal_backup(self, order: contract.SealBackup) -> contract.Sealed:
        """Judge a submission by the release in force that day; number the backup when it is accepted.

        Refuses ``not_allowed``, ``backup_closed``. When a list has not been judged by that release, it
        changes nothing and names the list.
        """

        def effect(writer: Writer, backup: _Backup) -> contract.Sealed:
            _require_open(backup, order.command.account_id)
            rulebook = self._rulebooks.in_force(writer, order.at)
            release = rulebook.release
            assessment = assess(writer, rulebook, self._forms, order.backup_id)
            if assessment.unjudged:
                raise _UnjudgedError(contract.Sealed(release=release.digest, unjudged=assessment.unjudged))
            number = None
            if assessment.accepted:
                number = _next_number(writer, release.procedure("backup-creation").number, order.at)
                sealed = {"number": number, "closed_at": order.at, "release_digest": release.digest}
                _change(writer, order, BackupState.NUMBERED, **sealed)
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

        def effect(writer: Writer, backup: _Backup) -> contract.Closed:
            if order.account_id is None and backup.state not in OPEN_STATES:
                return contract.Closed.model_validate({"state": backup.state, "number": backup.number})
            _require_open(backup, order.account_id)
            _change(writer, order, BackupState(order.state), closed_at=order.at)
            return contract.Closed(state=order.state)

        return self._once(order, order.state, contract.Closed, effect)

    @activity.defn
    def record_deposits(self, order: contract.RecordDeposits) -> contract.DepositsChecked:
        """Record what is known of deposits on their way, and say which are still awaited."""

        def effect(writer: Writer, backup: _Backup) -> contract.DepositsChecked:
            if order.account_id is None and backup.state not in OPEN_STATES:
                return contract.DepositsChecked()
            _require_open(backup, order.account_id)
            awaited = awaiting(writer, order.backup_id)
            for answer in order.answers:  # a look-up may come late: what arrived meanwhile has arrived
                if answer.repository in awaited:
                    check = {"backup_id": order.backup_id, "checked_at": order.at, **answer.model_dump()}
                    writer.connection().execute(_CHECKED, check)
            still = awaiting(writer, order.backup_id)
            _change(writer, order, _open_state(still))
            return contract.DepositsChecked(awaiting=still)

        return self._once(order, "check_deposits", contract.DepositsChecked, effect)

    @activity.defn
    def send_reminder(self, order: contract.SendReminder) -> None:
        """Leave the delegate a notice that a draft is about to expire."""
        with writing(self._engine) as writer:
            backup = _lock(writer, order.backup_id)
            if backup is None or backup.state not in OPEN_STATES:
                return
            notice = {
                "id": uuid5(order.backup_id, f"reminder {order.due_at.isoformat()}"),
                "account_id": backup.delegate_id,
                "backup_id": order.backup_id,
                "kind": "draft_expires",
                "due_at": order.expires_at,
                "created_at": order.at,
            }
            writer.connection().execute(_REMIND, notice)

    def _once(
        self,
        order: _Order,
        kind: str,
        model: type[Answer],
        effect: Callable[[Writer, _Backup], Answer],
        open_: Callable[[Writer], _Backup] | None = None,
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
                backup = _lock(writer, order.backup_id)
                outcome = writer.connection().execute(_OUTCOME, {"operation_id": order.operation_id}).scalar()
                if outcome is not None:
                    return model.model_validate(outcome)
                if backup is None:
                    if open_ is None:
                        raise LookupError(f"no backup {order.backup_id}")
                    backup = open_(writer)
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


def _lock(writer: Writer, backup_id: UUID) -> _Backup | None:
    """The backup, held until the transaction ends."""
    row = writer.connection().execute(_LOCK, {"backup_id": backup_id}).first()
    return _Backup(BackupState(row.state), row.delegate_id, row.number) if row else None


def _change(writer: Writer, order: _Order, state: BackupState, **values: object) -> None:
    writer.connection().execute(_CHANGE, {"backup_id": order.backup_id, "state": state, **values})


def _open_state(awaited: list[str]) -> BackupState:
    return BackupState.WAITING_FOR_DEPOSIT if awaited else BackupState.DRAFT


def _save(writer: Writer, order: contract.RecordStep, procedure: BackupCreationProcedure) -> list[str]:
    """Save the step; tell the repositories that are awaited now."""
    command = order.command
    try:
        step = procedure.step(command.step)
    except KeyError:
        raise Refusal("unknown_step") from None
    connection = writer.connection()
    shown: dict[str, object] = {}
    if step is procedure.steps[0] and step.kind == "form":
        title = connection.execute(_TITLE, {"content_id": command.content_id}).scalar()
        shown["title"] = title if isinstance(title, str) else None
    _advance(connection, order)
    if step.kind == "manifest":  # a new list tells anew what is on its way
        connection.execute(_FORGET_DEPOSITS, {"backup_id": order.backup_id})
    awaited = awaiting(writer, order.backup_id)
    expires_at = order.at + procedure.expires_after
    _change(writer, order, _open_state(awaited), saved_at=order.at, expires_at=expires_at, **shown)
    return awaited


def _keep(writer: Writer, order: _Order, kind: str, answer: Message) -> None:
    """Write the answer into the ledger; a timer's or an operator's operation is not there yet."""
    now = datetime.now(UTC)
    asked = {"id": order.operation_id, "case_id": order.backup_id, "kind": kind, "asked_at": now}
    answered = {"outcome": answer.model_dump(mode="json"), "finished_at": now}
    writer.connection().execute(_ANSWER, {**asked, "request_digest": "", **answered})


def _advance(connection: Connection, order: contract.RecordStep) -> None:
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
        done = connection.execute(_FIRST_SAVE, {**saved, "revision": 1})
    else:
        done = connection.execute(
            _LATER_SAVE, {f"new_{name}": value for name, value in saved.items()} | {"old": command.revision}
        )
    if done.first() is None:
        raise Refusal("stale_revision")


def _open(writer: Writer, order: contract.RecordStep) -> _Backup:
    at = dict.fromkeys(("created_at", "saved_at", "expires_at"), order.at)
    people = {"creator_id": order.creator_id, "delegate_id": order.creator_id, "unit_code": order.unit_code}
    opened = {"id": order.backup_id, "state": BackupState.DRAFT, **people, **at}
    writer.connection().execute(_OPEN, opened)
    return _Backup(BackupState.DRAFT, order.creator_id, None)


def _require_open(backup: _Backup, account_id: UUID | None) -> None:
    """Only its delegate, at this very moment, and only while it is a draft. None is the procedure itself."""
    if account_id is not None and account_id != backup.delegate_id:
        raise Refusal("not_allowed")
    if backup.state not in OPEN_STATES:
        raise Refusal("backup_closed", state=str(backup.state))


def _next_number(writer: Writer, format_: NumberFormat, at: datetime) -> str:
    """The next backup number of that day; the row lock makes it unique, the transaction gapless."""
    day = at.astimezone(ZoneInfo(format_.time_zone)).date()
    serial: int = writer.connection().execute(_NEXT_SERIAL, {"day": day}).scalar_one()
    return format_.number(day, serial)


# The statements, built once, on tables: a session's objects cost more than PostgreSQL takes to answer.
_BACKUPS, _OPERATIONS, _SERIALS, _STEPS, _FORMS, _CHECKS, _NOTICES = (
    SQLModel.metadata.tables[name]
    for name in (
        *("backup", "operation", "number_serial", "backup_step", "form_content", "deposit_check"),
        "notice",
    )
)
_THIS = _BACKUPS.c.id == bindparam("backup_id")
_LOCK = select(_BACKUPS.c.state, _BACKUPS.c.delegate_id, _BACKUPS.c.number).where(_THIS).with_for_update()
_OPEN = insert(_BACKUPS)
_CHANGE = update(_BACKUPS).where(_THIS)
"""Sets whatever columns its parameters name."""
_OUTCOME = select(_OPERATIONS.c.outcome).where(_OPERATIONS.c.id == bindparam("operation_id"))
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
_CHECKED = insert(_CHECKS)
_CHECKED = _CHECKED.on_conflict_do_update(
    index_elements=["backup_id", "repository"],
    set_={name: _CHECKED.excluded[name] for name in ("result", "source", "checked_at")},
)
_REMIND = insert(_NOTICES).on_conflict_do_nothing()
