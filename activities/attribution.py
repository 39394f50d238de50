"""The attribution of legacy backups in the database: one transaction, once for each account."""

from datetime import UTC, datetime

from sqlalchemy import Engine
from temporalio import activity

from rules.engine.procedures import Matching
from schemas.contracts.attribution import Attributed, AttributionOrder
from schemas.errors import Refusal
from schemas.tables.accounts import Account, Unit
from schemas.tables.backups import Notice, Operation
from store.database import Writer, writing
from store.legacy import find_registrants
from store.moves import move
from store.releases import Rulebooks
from wire.refusals import failure


class AttributionActivities:
    """Moves the legacy backups of a registrant into the account of the same person."""

    def __init__(self, engine: Engine, rulebooks: Rulebooks) -> None:
        self._engine = engine
        self._rulebooks = rulebooks

    @activity.defn
    def attribute(self, order: AttributionOrder) -> Attributed:
        """Move what was registered under the account's name, phone and unit, and leave a notice.

        What is compared is read here, from the mirror of the account at this moment. Refuses ``not_allowed``
        for an account that may hold no backups, or whose phone no legacy registrant can have.
        """
        try:
            with writing(self._engine) as writer:
                account = writer.get_one(Account, order.account_id, with_for_update=True)
                done = writer.get(Operation, order.operation_id)
                if done is not None:
                    return Attributed.model_validate(done.outcome)
                rules = self._rulebooks.in_force(writer, order.at).release.procedure("claiming").matching
                attributed = _move(writer, account, order, rules)
                _record(writer, order, attributed)
                return attributed
        except Refusal as refusal:
            raise failure(refusal) from None


def _move(writer: Writer, account: Account, order: AttributionOrder, rules: Matching) -> Attributed:
    if account.person_index is None or account.unit_code is None or not account.unit_authorised:
        raise Refusal("not_allowed")
    unit = writer.get_one(Unit, account.unit_code)
    connection = writer.connection()
    registrants = [
        registrant.id
        for registrant in find_registrants(connection, account.person_index)
        if registrant.of_unit(unit.code, unit.name, rules)
    ]
    moved = move(
        connection,
        registrants=registrants,
        to=account.id,
        unit_code=unit.code,
        operation_id=order.operation_id,
        at=order.at,
    )
    return Attributed(moved=moved.count, drafts_left=moved.drafts_left, already_moved=moved.already_moved)


def _record(writer: Writer, order: AttributionOrder, attributed: Attributed) -> None:
    """Write the ledger row, which makes this the only attribution of the account, and the notice."""
    facts = attributed.model_dump()
    account_id, kind = order.account_id, "attribution"
    writer.add(
        Operation(
            id=order.operation_id,
            case_id=account_id,
            kind=kind,
            asked_at=order.at,
            outcome=facts,
            finished_at=datetime.now(UTC),
        )
    )
    writer.add(
        Notice(id=order.operation_id, account_id=account_id, kind=kind, facts=facts, created_at=order.at)
    )
