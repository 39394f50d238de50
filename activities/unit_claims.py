"""What happens to a unit's claim in the database. Each method is one transaction, harmless if repeated."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID, uuid5

import structlog
from sqlalchemy import Engine
from temporalio import activity

from activities.ledger import Answer, once
from rules.engine.acts import china_day
from rules.engine.procedures import ClaimingProcedure
from schemas.claims import ClaimState
from schemas.contracts import claims as contract
from schemas.errors import Refusal
from schemas.sms import TextMessage
from schemas.tables.claims import UnitClaim
from store import claims, codes, sms
from store.claims import Person
from store.database import Writer, writing
from store.encryption import ColumnCipher
from store.legacy import Registrant, find_registrants
from store.moves import move, undo
from store.notices import leave
from store.releases import Rulebooks

log = structlog.get_logger()


class UnitClaimActivities:
    """Opens, confirms, moves, reverses and closes claims by a unit."""

    def __init__(self, engine: Engine, rulebooks: Rulebooks, cipher: ColumnCipher) -> None:
        self._engine = engine
        self._rulebooks = rulebooks
        self._cipher = cipher

    @activity.defn
    def open_unit_claim(self, order: contract.ClaimOrder) -> contract.ClaimStands:
        """Count the request, check name and phone against the register (信息校验), make a code.

        Refuses ``not_allowed``, ``delegate_not_a_member``, ``too_many_claims``, ``claim_closed``.
        """
        alarming = False

        def effect(writer: Writer, claim: UnitClaim) -> contract.ClaimStands:
            nonlocal alarming
            if claim.state != "stored":
                raise Refusal("claim_closed")
            policy = self._policy(writer, order.at)
            people = claims.lock_accounts(writer, [claim.account_id, claim.delegate_id])
            if not _administers(people.get(claim.account_id), claim):
                raise Refusal("not_allowed")
            if not _belongs(people.get(claim.delegate_id), claim):
                raise Refusal("delegate_not_a_member", pointer="/delegate_account_id")
            codes.ask(writer, claim.id, order.at, policy.code.resend_after)
            alarming = claims.count(writer, policy, claim, order.operation_id, order.at)
            group = _group(writer, claim, policy)
            claim.backups, claim.already_moved = claims.count_backups(writer, group)
            if not claim.backups:
                _close(claim, order.at, bool(claim.already_moved), "drafts_only" if group else "no_match")
                return _stands(claim)
            claim.state, claim.due_at = "waiting_for_code", order.at + policy.code.valid_for
            message_id = self._send_code(writer, claim, policy, order.at)
            return _stands(claim).model_copy(update={"message_id": message_id})

        stands = self._once(order, "unit_claim", contract.ClaimStands, effect)
        if alarming:
            log.error("the day's budget of messages runs out")
        return stands

    @activity.defn
    def try_step_up(self, order: contract.TryCode) -> contract.CodeTried:
        """Compare the code that went to the administrator's own phone, and count the try."""

        def effect(writer: Writer, claim: UnitClaim) -> contract.CodeTried:
            if claim.state == "waiting_for_code":
                policy = self._policy(writer, order.at)
                result = codes.attempt(writer, claim.id, order.digest, order.at, policy.code.tries)
                if result == "accepted":
                    _go_on(writer, claim, policy, order)
                    return contract.CodeTried(accepted=True, state=claim.state, due_at=claim.due_at)
                if result == "locked":
                    _end(claim, "locked", order.at, "tries_used_up")
            return contract.CodeTried(accepted=False, state=claim.state, due_at=claim.due_at)

        return self._once(order, "try_code", contract.CodeTried, effect)

    @activity.defn
    def approve_unit_claim(self, order: contract.Decide) -> contract.ClaimStands:
        """Record what a second administrator decides (复核). Refuses ``not_allowed``, ``claim_closed``."""

        def effect(writer: Writer, claim: UnitClaim) -> contract.ClaimStands:
            decider = claims.lock_accounts(writer, [order.account_id]).get(order.account_id)
            if not _administers(decider, claim) or order.account_id == claim.account_id:
                raise Refusal("not_allowed")
            if claim.state != "waiting_for_approval":
                raise Refusal("claim_closed")
            claim.approver_id, claim.decided_at = order.account_id, order.at
            if order.agreed:
                claim.state, claim.due_at = "moving", None
            else:
                _end(claim, "declined", order.at, "not_approved")
                leave(writer, [claim.account_id], "unit_claim_declined", order.operation_id, order.at)
            return _stands(claim)

        return self._once(order, "approve_unit_claim", contract.ClaimStands, effect)

    @activity.defn
    def move_unit_claim(self, order: contract.ClaimOrder) -> contract.ClaimStands:
        """Move the backups to the new delegate.

        Everybody's membership and authorisation are checked here once more, by the mirror of accounts.
        """

        def effect(writer: Writer, claim: UnitClaim) -> contract.ClaimStands:
            if claim.state != "moving":
                return _stands(claim)
            policy = self._policy(writer, order.at)
            if not _all_authorised(writer, claim):
                _end(claim, "declined", order.at, "not_authorised")
                return _stands(claim)
            group = _group(writer, claim, policy)
            claim.backups, _ = claims.count_backups(writer, group)
            if claim.approver_id is None and claim.backups > policy.unit_claims.approvals_above:
                _end(claim, "declined", order.at, "more_than_confirmed")  # imported meanwhile
                return _stands(claim)
            _move(writer, claim, order, group, order.at + policy.unit_claims.undo_within)
            return _stands(claim)

        return self._once(order, "move_unit_claim", contract.ClaimStands, effect)

    @activity.defn
    def reverse_unit_claim(self, order: contract.Reverse) -> contract.ClaimStands:
        """Take a move back (撤销): all of it, or nothing.

        Refuses ``not_allowed``, ``claim_closed``, ``used_in_prior_report``.
        """

        def effect(writer: Writer, claim: UnitClaim) -> contract.ClaimStands:
            decider = claims.lock_accounts(writer, [order.account_id]).get(order.account_id)
            if not _administers(decider, claim):
                raise Refusal("not_allowed")
            in_time = claim.due_at is not None and order.at < claim.due_at
            if claim.state != "moved" or claim.move_id is None or not in_time:
                raise Refusal("claim_closed")
            undone = undo(
                writer.connection(),
                operation_id_of_move=claim.move_id,
                operation_id=order.operation_id,
                at=order.at,
            )
            if undone.used:
                raise Refusal("used_in_prior_report")
            if undone.gone_on:
                return _stands(claim).model_copy(update={"went_on": undone.gone_on})
            _end(claim, "reversed", order.at, None)
            claim.reversal_id = order.operation_id
            told = {claim.delegate_id, *claims.administrators(writer, claim.unit_code)}
            leave(writer, told, "unit_claim_reversed", order.operation_id, order.at, count=undone.count)
            return _stands(claim)

        return self._once(order, "reverse_unit_claim", contract.ClaimStands, effect)

    @activity.defn
    def lapse_unit_claim(self, order: contract.ClaimOrder) -> contract.ClaimStands:
        """Close a claim whose time is up; else tell how it stands (see `ClaimActivities.lapse_claim`)."""
        with writing(self._engine) as writer:
            claim = _lock(writer, order.claim_id)
            if claim.state == "stored":  # never opened: the same request may still do it
                return contract.ClaimStands(state="lapsed")
            if claim.due_at is not None and order.at >= claim.due_at:
                if claim.state == "moved":
                    claim.due_at = None
                else:
                    _end(claim, "lapsed", order.at, f"{claim.state}_lapsed")
            return _stands(claim)

    def _send_code(self, writer: Writer, claim: UnitClaim, policy: ClaimingProcedure, at: datetime) -> UUID:
        code = policy.code
        issued = codes.issue(writer, self._cipher, claim.id, at, code.digits, code.valid_for)
        message_id = uuid5(claim.id, f"code {issued.seq}")
        phone = claims.phone_of(writer, self._cipher, claim.account_id)
        message = TextMessage(
            message_id, "step_up_code", claim.id, phone, issued.code, send_before=issued.expires_at
        )
        sms.enqueue(writer, self._cipher, message, at)
        return message_id

    def _policy(self, writer: Writer, at: datetime) -> ClaimingProcedure:
        return self._rulebooks.in_force(writer, at).release.procedure("claiming")

    def _once(
        self,
        order: contract.ClaimOrder,
        kind: str,
        model: type[Answer],
        effect: Callable[[Writer, UnitClaim], Answer],
    ) -> Answer:
        claim_id = order.claim_id
        return once(self._engine, order, kind, model, lambda writer: _lock(writer, claim_id), effect)


def _lock(writer: Writer, claim_id: UUID) -> UnitClaim:
    return writer.get_one(UnitClaim, claim_id, with_for_update=True)


def _group(writer: Writer, claim: UnitClaim, policy: ClaimingProcedure) -> list[Registrant]:
    """Whom the typed name and phone mean, of those on record of the unit itself."""
    found = find_registrants(writer.connection(), claim.person_index)
    return claims.by_unit(writer, found, policy.matching).get(claim.unit_code, [])


def _administers(person: Person | None, claim: UnitClaim) -> bool:
    return person is not None and person.administers(claim.unit_code)


def _belongs(person: Person | None, claim: UnitClaim) -> bool:
    return person is not None and person.belongs_to(claim.unit_code)


def _all_authorised(writer: Writer, claim: UnitClaim) -> bool:
    deciders = [id_ for id_ in (claim.account_id, claim.approver_id) if id_ is not None]
    people = claims.lock_accounts(writer, [*deciders, claim.delegate_id])
    authorised = all(_administers(people.get(id_), claim) for id_ in deciders)
    return authorised and _belongs(people.get(claim.delegate_id), claim)


def _go_on(writer: Writer, claim: UnitClaim, policy: ClaimingProcedure, order: contract.ClaimOrder) -> None:
    """After the code: to the move, or to a second administrator where the backups are many."""
    claim.state, claim.due_at = "moving", None
    if claim.backups > policy.unit_claims.approvals_above:
        claim.state = "waiting_for_approval"
        claim.due_at = order.at + policy.unit_confirmation.valid_for
        others = [id_ for id_ in claims.administrators(writer, claim.unit_code) if id_ != claim.account_id]
        leave(writer, others, "unit_claim_to_approve", order.operation_id, order.at, count=claim.backups)


def _move(
    writer: Writer,
    claim: UnitClaim,
    order: contract.ClaimOrder,
    group: list[Registrant],
    reversible_until: datetime,
) -> None:
    done = move(
        writer.connection(),
        registrants=[each.id for each in group],
        to=claim.delegate_id,
        unit_code=claim.unit_code,
        operation_id=order.operation_id,
        at=order.at,
    )
    claim.moved, claim.drafts_left = done.count, done.drafts_left
    claim.already_moved = done.already_moved + done.already_own
    if not done.count:
        _end(claim, "already_moved", order.at, "moved_before")
        return
    _end(claim, "moved", order.at, None)
    claim.move_id, claim.due_at = order.operation_id, reversible_until
    leave(writer, [claim.delegate_id], "unit_claim_received", order.operation_id, order.at, count=done.count)
    told = claims.administrators(writer, claim.unit_code)
    until = china_day(reversible_until).isoformat()
    leave(writer, told, "unit_claim_moved", order.operation_id, order.at, count=done.count, until=until)


def _close(claim: UnitClaim, at: datetime, moved_before: bool, reason: str) -> None:
    state: ClaimState = "already_moved" if moved_before else "not_matched"
    _end(claim, state, at, "moved_before" if moved_before else reason)


def _end(claim: UnitClaim, state: ClaimState, at: datetime, reason: str | None) -> None:
    claim.state, claim.closed_at, claim.due_at, claim.reason = state, at, None, reason


def _stands(claim: UnitClaim) -> contract.ClaimStands:
    return contract.ClaimStands(
        state=claim.state, due_at=claim.due_at, moved=claim.moved, already_moved=claim.already_moved
    )
