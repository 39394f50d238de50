"""What happens to a handover in the database. Each method is one transaction, harmless when repeated."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Engine
from temporalio import activity

from activities.ledger import once
from rules.engine.acts import china_day
from rules.engine.procedures import DelegationProcedure
from schemas.contracts.delegation import DecideHandover, HandoverOrder, HandoverStands
from schemas.delegation import Consent, HandoverState
from schemas.errors import Refusal
from schemas.tables.delegation import Handover
from store import handovers
from store.claims import administrators, lock_accounts
from store.database import Writer, writing
from store.handovers import Holding
from store.notices import leave
from store.releases import Rulebooks


class DelegationActivities:
    """Opens, decides, makes and closes handovers."""

    def __init__(self, engine: Engine, rulebooks: Rulebooks) -> None:
        self._engine = engine
        self._rulebooks = rulebooks

    @activity.defn
    def open_handover(self, order: HandoverOrder) -> HandoverStands:
        """Check who asks, who is named and what was shown; tell who has to agree first.

        Refuses ``not_allowed``, ``same_delegate``, ``delegate_not_a_member``, ``nothing_to_hand_over``,
        ``handover_closed``.
        """

        def effect(writer: Writer, handover: Handover) -> HandoverStands:
            if handover.state != "stored":
                raise Refusal("handover_closed")
            _require_authorised(writer, handover)
            policy = self._policy(writer, order.at)
            held = handovers.look(writer.connection(), _holding(writer, handover, order.at))
            if not held.total:
                raise Refusal("nothing_to_hand_over")
            handover.backups = held.total
            if handover.digest not in (None, held.digest):
                _end(handover, "changed", order.at)
            else:
                consents = () if handover.undoes else policy.consents(held.total)
                _go_on(writer, handover, policy, consents, order)
            return _stands(handover)

        return self._once(order, "handover", effect)

    @activity.defn
    def decide_handover(self, order: DecideHandover) -> HandoverStands:
        """Record what a second administrator (复核) or the new delegate (接受) decides.

        Any administrator of the unit may decline at any time while it waits, the first one too. Refuses
        ``not_allowed``, ``handover_closed``.
        """

        def effect(writer: Writer, handover: Handover) -> HandoverStands:
            if not _may_decide(writer, handover, order):
                raise Refusal("not_allowed")
            declining = order.consent == "approval" and not order.agreed
            waiting = ("waiting_for_approval", "waiting_for_acceptance")
            if handover.state not in (waiting if declining else (f"waiting_for_{order.consent}",)):
                raise Refusal("handover_closed")
            if not order.agreed:
                _end(handover, "declined", order.at, f"no_{order.consent}")
                leave(writer, [handover.account_id], "handover_declined", order.operation_id, order.at)
                return _stands(handover)
            still: list[Consent] = []
            policy = self._policy(writer, order.at)
            if order.consent == "approval":
                handover.approver_id = order.account_id
                still = [each for each in policy.consents(handover.backups) if each == "acceptance"]
            _go_on(writer, handover, policy, still, order)
            return _stands(handover)

        return self._once(order, "decide_handover", effect)

    @activity.defn
    def move_handover(self, order: HandoverOrder) -> HandoverStands:
        """Hand the backups over, if they are still those that were shown.

        Everybody's membership and authorisation are checked here once more, by the mirror of accounts, which
        cannot change until the transaction ends.
        """

        def effect(writer: Writer, handover: Handover) -> HandoverStands:
            if handover.state != "moving":
                return _stands(handover)
            at = max(order.at, datetime.now(UTC))  # it may have been asked long before a worker came to it
            try:
                _require_authorised(writer, handover)
                holding = _holding(writer, handover, order.at)
            except Refusal as refusal:
                _fail(writer, handover, "declined", order, refusal.error.code)
                return _stands(handover)
            moved = handovers.hand_over(
                writer.connection(),
                holding,
                to=handover.to_id,
                shown=handover.digest,
                operation_id=order.operation_id,
                at=at,
            )
            if not moved:
                _fail(writer, handover, "changed", order, None)
                return _stands(handover)
            _finish(writer, handover, self._policy(writer, at), order.operation_id, moved, at)
            return _stands(handover)

        return self._once(order, "move_handover", effect)

    @activity.defn
    def lapse_handover(self, order: HandoverOrder) -> HandoverStands:
        """Close a handover whose time is up; else tell how it stands."""
        with writing(self._engine) as writer:
            handover = _lock(writer, order.handover_id)
            if handover.state == "stored":  # never opened: the same request may still do it
                return HandoverStands(state="lapsed")
            if handover.due_at is not None and order.at >= handover.due_at:
                reason = f"{handover.state}_lapsed"
                _end(handover, "lapsed", order.at, reason)
                leave(writer, [handover.account_id], "handover_lapsed", order.operation_id, order.at)
            return _stands(handover)

    def _policy(self, writer: Writer, at: datetime) -> DelegationProcedure:
        return self._rulebooks.in_force(writer, at).release.procedure("delegation")

    def _once(
        self, order: HandoverOrder, kind: str, effect: Callable[[Writer, Handover], HandoverStands]
    ) -> HandoverStands:
        def lock(writer: Writer) -> Handover:
            return _lock(writer, order.handover_id)

        return once(self._engine, order, kind, HandoverStands, lock, effect)


def _lock(writer: Writer, handover_id: UUID) -> Handover:
    return writer.get_one(Handover, handover_id, with_for_update=True)


def _require_authorised(writer: Writer, handover: Handover) -> None:
    """Everybody as the mirror of accounts has them; their rows are held until the transaction ends.

    The old delegate is nobody to be authorised: who has left the unit is the very one to be relieved.
    """
    if handover.from_id == handover.to_id:
        raise Refusal("same_delegate", pointer="/to")
    deciders = [id_ for id_ in (handover.account_id, handover.approver_id) if id_ is not None]
    people = lock_accounts(writer, [*deciders, handover.from_id, handover.to_id])
    if not all(id_ in people and people[id_].administers(handover.unit_code) for id_ in deciders):
        raise Refusal("not_allowed")
    if handover.to_id not in people or not people[handover.to_id].belongs_to(handover.unit_code):
        raise Refusal("delegate_not_a_member", pointer="/to")


def _holding(writer: Writer, handover: Handover, at: datetime) -> Holding:
    """What it is about; of an undoing what is still where the undone handover put it.

    Raises:
        Refusal: ``handover_closed``: it is too late to undo, or nothing was handed over.
    """
    if handover.undoes is None:
        return Holding(handover.from_id, handover.unit_code)
    undone = writer.get_one(Handover, handover.undoes)
    if undone.move_id is None or undone.undo_until is None or at >= undone.undo_until:
        raise Refusal("handover_closed")
    return Holding(handover.from_id, handover.unit_code, undone.move_id)


def _may_decide(writer: Writer, handover: Handover, order: DecideHandover) -> bool:
    decider = lock_accounts(writer, [order.account_id]).get(order.account_id)
    if decider is None:
        return False
    if order.consent == "acceptance":
        return order.account_id == handover.to_id
    second = order.account_id != handover.account_id
    return decider.administers(handover.unit_code) and (second or not order.agreed)


def _go_on(
    writer: Writer,
    handover: Handover,
    policy: DelegationProcedure,
    consents: Sequence[Consent],
    order: HandoverOrder,
) -> None:
    """To the next consent that is wanted, or to the move."""
    facts = {"count": handover.backups}
    if not consents:
        handover.state, handover.due_at = "moving", None
    elif consents[0] == "approval":
        handover.state, handover.due_at = "waiting_for_approval", order.at + policy.approval.valid_for
        others = [id_ for id_ in administrators(writer, handover.unit_code) if id_ != handover.account_id]
        leave(writer, others, "handover_to_approve", order.operation_id, order.at, **facts)
    else:
        handover.state, handover.due_at = "waiting_for_acceptance", order.at + policy.acceptance.valid_for
        leave(writer, [handover.to_id], "handover_to_accept", order.operation_id, order.at, **facts)


def _finish(
    writer: Writer,
    handover: Handover,
    policy: DelegationProcedure,
    operation_id: UUID,
    moved: int,
    at: datetime,
) -> None:
    _end(handover, "moved", at)
    handover.moved, handover.move_id, handover.undo_until = moved, operation_id, at + policy.undo_within
    if handover.undoes is not None:
        handover.gone_on = writer.get_one(Handover, handover.undoes).moved - moved
    until = china_day(handover.undo_until).isoformat()
    told = {"old_delegate": handover.from_id, "new_delegate": handover.to_id}
    for whom in policy.notices:
        kind = "handover_given" if whom == "old_delegate" else "handover_received"
        leave(writer, [told[whom]], kind, operation_id, at, count=moved, until=until)


def _fail(
    writer: Writer, handover: Handover, state: HandoverState, order: HandoverOrder, reason: str | None
) -> None:
    """Nothing moves: whoever asked for it is told, since consents may have taken weeks."""
    _end(handover, state, order.at, reason)
    leave(writer, [handover.account_id], f"handover_{state}", order.operation_id, order.at)


def _end(handover: Handover, state: HandoverState, at: datetime, reason: str | None = None) -> None:
    handover.state, handover.closed_at, handover.due_at, handover.reason = state, at, None, reason


def _stands(handover: Handover) -> HandoverStands:
    return HandoverStands(state=handover.state, due_at=handover.due_at, moved=handover.moved)
