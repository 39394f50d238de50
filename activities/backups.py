"""What happens to a backup in the database. Each method is one transaction, harmless when repeated."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql import insert
from temporalio import activity

from rules.engine.procedures import BackupCreationProcedure, NumberFormat
from schemas.contracts import backups as contract
from schemas.contracts.backups import Message
from schemas.errors import Refusal
from schemas.tables.backups import OPEN_STATES, DepositCheck, Notice
from store import amendments
from store import backups as rows
from store.backups import Held
from store.database import Writer, reading, writing
from store.forms import FormStore
from store.releases import Rulebooks
from store.submissions import assess, awaiting, open_state, still_awaited
from wire.refusals import failure

Answer = TypeVar("Answer", bound=Message)
Change = dict[str, Any]
"""Columns of the backup and their new values."""
Effect = tuple[Answer, Change]


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

        def effect(writer: Writer, backup: Held) -> Effect[contract.StepRecorded]:
            command = order.command
            _require_open(backup, command.account_id)
            procedure = self._rulebooks.in_force(writer, order.at).release.procedure("backup-creation")
            change, awaited = _save(writer, order, procedure)
            recorded = contract.StepRecorded(
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
            return recorded, change

        def begin(writer: Writer) -> Held:
            by = order.creator_id
            return rows.begin(writer, order.operation_id, order.backup_id, by, order.unit_code, order.at)

        return self._once(order, "save_step", contract.StepRecorded, effect, begin)

    @activity.defn
    def seal_backup(self, order: contract.SealBackup) -> contract.Sealed:
        """Judge a submission by the release in force that day; number the backup when it is accepted.

        A correction becomes the next version of what it corrects, under the number that has. Refuses
        ``not_allowed``, ``backup_closed``, ``number_withdrawn``. When a list has not been judged by that
        release, it changes nothing and names the list.
        """

        def effect(writer: Writer, backup: Held) -> Effect[contract.Sealed]:
            _require_open(backup, order.command.account_id)
            rulebook = self._rulebooks.in_force(writer, order.at)
            release = rulebook.release
            assessment = assess(writer, rulebook, self._forms, order.backup_id)
            if assessment.unjudged:
                raise _UnjudgedError(contract.Sealed(release=release.digest, unjudged=assessment.unjudged))
            number: str | None = None
            change: Change = {}
            if assessment.accepted and backup.is_correction:
                number, change = amendments.seal(writer, order.backup_id, release.digest, order.at)
            elif assessment.accepted:
                number = _next_number(writer, release.procedure("backup-creation").number, order.at)
                sealed = {"number": number, "closed_at": order.at, "release_digest": release.digest}
                change = {"state": "numbered", **sealed}
            verdict = contract.Verdict(
                accepted=assessment.accepted,
                number=number,
                release=release.digest,
                errors=assessment.counts.error,
                awaiting=assessment.awaiting,
            )
            return contract.Sealed(release=release.digest, version=release.version, verdict=verdict), change

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

        def effect(writer: Writer, backup: Held) -> Effect[contract.Closed]:
            if order.account_id is None and backup.state not in OPEN_STATES:
                return contract.Closed.model_validate({"state": backup.state, "number": backup.number}), {}
            _require_open(backup, order.account_id)
            return contract.Closed(state=order.state), {"state": order.state, "closed_at": order.at}

        return self._once(order, order.state, contract.Closed, effect)

    @activity.defn
    def record_deposits(self, order: contract.RecordDeposits) -> contract.DepositsChecked:
        """Record what is known of deposits on their way, and say which are still awaited."""

        def effect(writer: Writer, backup: Held) -> Effect[contract.DepositsChecked]:
            if order.account_id is None and backup.state not in OPEN_STATES:
                return contract.DepositsChecked(), {}
            _require_open(backup, order.account_id)
            awaited = awaiting(writer, order.backup_id)
            for answer in order.answers:  # a look-up may come late: what arrived meanwhile has arrived
                if answer.repository in awaited:
                    check = {"backup_id": order.backup_id, "checked_at": order.at, **answer.model_dump()}
                    writer.merge(DepositCheck(**check))
            writer.flush()
            still = awaiting(writer, order.backup_id)
            return contract.DepositsChecked(awaiting=still), {"state": open_state(still)}

        return self._once(order, "check_deposits", contract.DepositsChecked, effect)

    @activity.defn
    def send_reminder(self, order: contract.SendReminder) -> None:
        """Leave the delegate a notice that a draft is about to expire."""
        with writing(self._engine) as writer:
            backup = rows.lock(writer, order.backup_id)
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
            writer.execute(insert(Notice).values(notice).on_conflict_do_nothing())

    def _once(
        self,
        order: _Order,
        kind: str,
        model: type[Answer],
        effect: Callable[[Writer, Held], Effect[Answer]],
        begin: Callable[[Writer], Held] | None = None,
    ) -> Answer:
        """Run an effect and keep its answer in one transaction; an operation that has one gets it again.

        The backup is locked first, so that overlapping attempts wait for one another. The ledger is not asked
        before, but by the statement that keeps the answer, and when the effect is refused: what an earlier
        attempt has done is the commonest reason for that.

        Args:
            order: What is asked.
            kind: What the ledger calls it.
            model: Of the answer.
            effect: The answer, and what it changes of the backup.
            begin: Makes the backup when there is none.
        """
        try:
            with writing(self._engine) as writer:
                backup = rows.lock(writer, order.backup_id)
                if backup is None:
                    if begin is None:
                        raise LookupError(f"no backup {order.backup_id}")
                    backup = begin(writer)
                answer, change = effect(writer, backup)
                told = answer.model_dump_json()
                rows.finish(writer, order.operation_id, order.backup_id, kind, told, change)
                return answer
        except (Refusal, rows.AnsweredError) as error:
            with reading(self._engine) as reader:
                known = rows.outcome(reader, order.operation_id)
            if known is not None:
                return model.model_validate(known)
            raise (failure(error) if isinstance(error, Refusal) else error) from None


class _UnjudgedError(Exception):
    """Leaves the transaction without an answer: the operation goes on once the lists are judged."""

    def __init__(self, sealed: contract.Sealed) -> None:
        super().__init__()
        self.sealed = sealed


def _save(
    writer: Writer, order: contract.RecordStep, procedure: BackupCreationProcedure
) -> tuple[Change, list[str]]:
    """Save the step; tell what it changes of the backup, and the repositories that are awaited now."""
    command, at = order.command, order.at
    try:
        step = procedure.step(command.step)
    except KeyError:
        raise Refusal("unknown_step") from None
    saved = rows.save_step(
        writer, order.backup_id, step.id, command.revision, command.content_id, command.account_id, at
    )
    if saved is None:
        raise Refusal("stale_revision")
    if step.kind == "manifest":
        rows.forget_deposits(writer, order.backup_id)
    awaited = still_awaited(writer, order.backup_id, saved.in_transit)
    change: Change = {
        "state": open_state(awaited),
        "data_files": saved.data_files,
        "categories": saved.categories,
        "saved_at": at,
        "expires_at": at + procedure.expires_after,
    }
    if step is procedure.steps[0] and step.kind == "form":
        change["title"] = saved.title
    return change, awaited


def _require_open(backup: Held, account_id: UUID | None) -> None:
    """Only its delegate, at this very moment, and only while it is a draft. None is the procedure itself."""
    if account_id is not None and account_id != backup.delegate_id:
        raise Refusal("not_allowed")
    if backup.state not in OPEN_STATES:
        raise Refusal("backup_closed", state=str(backup.state))


def _next_number(writer: Writer, format_: NumberFormat, at: datetime) -> str:
    """The next backup number of that day."""
    day = at.astimezone(ZoneInfo(format_.time_zone)).date()
    return format_.number(day, rows.next_serial(writer, day))
