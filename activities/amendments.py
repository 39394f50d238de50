"""What is done to numbered backups. Each method is one transaction, harmless when repeated."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import Engine
from temporalio import activity

from activities.ledger import once
from schemas.contracts.amendments import CorrectionOpened, CorrectionOrder, NumberWithdrawn, WithdrawalOrder
from schemas.errors import Refusal
from schemas.tables.backups import Backup, BackupState
from store import amendments
from store.amendments import Draft
from store.claims import Person, lock_accounts
from store.database import Writer
from store.releases import Rulebooks
from store.submissions import awaiting, open_state

Held = tuple[Person | None, Backup]
"""Who asks, and the backup; both rows held until the transaction ends."""


class AmendmentActivities:
    """Withdraws numbered backups, and begins their corrections."""

    def __init__(self, engine: Engine, rulebooks: Rulebooks) -> None:
        self._engine = engine
        self._rulebooks = rulebooks

    @activity.defn
    def withdraw_number(self, order: WithdrawalOrder) -> NumberWithdrawn:
        """Withdraw a numbered backup (撤回), unless a prior report has used it.

        Refuses ``not_allowed``, ``not_numbered``, ``version_superseded``, ``number_withdrawn``,
        ``used_in_prior_report``.
        """

        def effect(writer: Writer, held: Held) -> NumberWithdrawn:
            backup = _require_standing(*held)
            if amendments.is_used(writer, backup.id):
                raise Refusal("used_in_prior_report")
            amendments.withdraw(writer, backup, order.operation_id, order.at)
            return NumberWithdrawn(number=amendments.number_of(backup), withdrawn_at=order.at)

        lock = _locking(order.account_id, order.backup_id)
        return once(self._engine, order, "withdraw_number", NumberWithdrawn, lock, effect)

    @activity.defn
    def open_correction(self, order: CorrectionOrder) -> CorrectionOpened:
        """Begin a draft with the contents of a numbered backup (更正); one at a time for each.

        Refuses ``not_allowed``, ``not_numbered``, ``version_superseded``, ``number_withdrawn``,
        ``nothing_to_correct``, ``correction_open``.
        """

        def effect(writer: Writer, held: Held) -> CorrectionOpened:
            backup = _require_standing(*held)
            if backup.registrant_id is not None:
                raise Refusal("nothing_to_correct")
            if amendments.has_open_correction(writer, backup.id):
                raise Refusal("correction_open")
            procedure = self._rulebooks.in_force(writer, order.at).release.procedure("backup-creation")
            still = awaiting(writer, backup.id)
            expires_at = order.at + procedure.expires_after
            draft = Draft(order.backup_id, order.operation_id, open_state(still), order.at, expires_at)
            return CorrectionOpened(
                revisions=amendments.open_draft(writer, backup, draft),
                expires_at=expires_at,
                remind_at=procedure.remind_at(order.at),
                recheck_every=procedure.recheck_deposits_every,
                awaiting=still,
            )

        lock = _locking(order.command.account_id, order.command.corrects_id)
        return once(self._engine, order, "open_correction", CorrectionOpened, lock, effect)


def _locking(account_id: UUID, backup_id: UUID) -> Callable[[Writer], Held]:
    def lock(writer: Writer) -> Held:
        person = lock_accounts(writer, [account_id]).get(account_id)  # first, as handovers do
        return person, amendments.lock(writer, backup_id)

    return lock


def _require_standing(person: Person | None, backup: Backup) -> Backup:
    """A number that stands, and its delegate, authorised by the unit it is held for at this very moment."""
    is_delegate = person is not None and person.id == backup.delegate_id
    if not is_delegate or person is None or not person.belongs_to(backup.unit_code or ""):
        raise Refusal("not_allowed")
    amendments.number_of(backup)
    if backup.state == BackupState.WITHDRAWN:
        raise Refusal("number_withdrawn")
    return backup
