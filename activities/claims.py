"""What happens to a person's claim in the database. Each method is one transaction, harmless if repeated."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID, uuid5

import structlog
from sqlalchemy import Engine
from temporalio import activity

from activities.ledger import Answer, once
from rules.engine.procedures import ClaimingProcedure
from schemas.claims import ClaimState
from schemas.contracts import claims as contract
from schemas.errors import Refusal
from schemas.sms import TextMessage
from schemas.tables.claims import Claim, ClaimConfirmation
from store import claims, codes, sms
from store.database import Writer, writing
from store.encryption import ColumnCipher
from store.legacy import Registrant, find_registrants
from store.moves import move
from store.notices import leave
from store.releases import Rulebooks

log = structlog.get_logger()


class ClaimActivities:
    """Opens, proves, moves and closes claims by a person."""

    def __init__(self, engine: Engine, rulebooks: Rulebooks, cipher: ColumnCipher) -> None:
        self._engine = engine
        self._rulebooks = rulebooks
        self._cipher = cipher

    @activity.defn
    def open_claim(self, order: contract.ClaimOrder) -> contract.CodeAsked:
        """Count what was typed and open the claim; nothing has been looked up yet.

        Refuses ``too_many_claims``, ``claim_closed``.
        """
        return self._asked(order, "claim", {"stored"})

    @activity.defn
    def ask_for_code(self, order: contract.ClaimOrder) -> contract.CodeAsked:
        """Count that another code is asked for. Refuses ``too_many_claims``, ``claim_closed``."""
        return self._asked(order, "ask_for_code", {"waiting_for_code"})

    @activity.defn
    def issue_code(self, order: contract.ClaimOrder) -> contract.CodeIssued:
        """Look the person up; on a match make a code and put it into the outbox, to the number on record.

        Without a match the row is left just as with one, with random bytes in the place of the digest.
        """

        def effect(writer: Writer, claim: Claim) -> contract.CodeIssued:
            if claim.state != "waiting_for_code":
                return contract.CodeIssued(issued=0, due_at=order.at)
            code = self._policy(writer, order.at).code
            claim.due_at = order.at + code.valid_for
            found = find_registrants(writer.connection(), claim.person_index)
            if not found:
                seq = codes.issue_none(writer, claim.id, order.at, code.valid_for)
                return contract.CodeIssued(issued=seq, due_at=claim.due_at)
            issued = codes.issue(writer, self._cipher, claim.id, order.at, code.digits, code.valid_for)
            message_id = uuid5(claim.id, f"code {issued.seq}")
            phone = claims.phone_on_record(writer, self._cipher, found[0].id)
            message = TextMessage(
                message_id, "claim_code", claim.id, phone, issued.code, send_before=issued.expires_at
            )
            sms.enqueue(writer, self._cipher, message, order.at)
            return contract.CodeIssued(issued=issued.seq, due_at=claim.due_at, message_id=message_id)

        return self._once(order, "issue_code", contract.CodeIssued, effect)

    @activity.defn
    def try_code(self, order: contract.TryCode) -> contract.CodeTried:
        """Compare a typed code and count the try, whatever comes of it."""

        def effect(writer: Writer, claim: Claim) -> contract.CodeTried:
            if claim.state == "waiting_for_code":
                tries = self._policy(writer, order.at).code.tries
                result = codes.attempt(writer, claim.id, order.digest, order.at, tries)
                if result == "accepted":
                    claim.state, claim.due_at = "moving", None
                    return contract.CodeTried(accepted=True, state=claim.state)
                if result == "locked":
                    _close(claim, "locked", order.at, "tries_used_up")
            return contract.CodeTried(accepted=False, state=claim.state, due_at=claim.due_at)

        return self._once(order, "try_code", contract.CodeTried, effect)

    @activity.defn
    def move_claim(self, order: contract.ClaimOrder) -> contract.ClaimStands:
        """Move what a proven claim is about: all of it at once, but what another unit has to confirm."""

        def effect(writer: Writer, claim: Claim) -> contract.ClaimStands:
            if claim.state != "moving":
                return _stands(claim)
            policy = self._policy(writer, order.at)
            person = claims.lock_accounts(writer, [claim.account_id])[claim.account_id]
            if not person.may_hold:
                _close(claim, "declined", order.at, "not_authorised")
                return _stands(claim)
            found = find_registrants(writer.connection(), claim.person_index)
            foreign = claims.by_unit(writer, found, policy.matching)
            own = foreign.pop(person.unit_code, [])
            if not policy.unit_confirmation.required:
                own, foreign = list(found), {}
            _move(writer, claim, order, own, person.unit_code)
            _ask_units(writer, claim, foreign, order, order.at + policy.unit_confirmation.valid_for)
            return _settled(writer, claim, order)

        return self._once(order, "move_claim", contract.ClaimStands, effect)

    @activity.defn
    def decide_claim(self, order: contract.Decide) -> contract.ClaimStands:
        """Record what the administrator of the unit on record decides, and move when it agrees.

        Refuses ``not_allowed``, ``claim_closed``.
        """

        def effect(writer: Writer, claim: Claim) -> contract.ClaimStands:
            people = claims.lock_accounts(writer, [claim.account_id, order.account_id])
            decider, person = people[order.account_id], people[claim.account_id]
            if not decider.may_administer or order.account_id == claim.account_id:
                raise Refusal("not_allowed")
            asked = writer.get(ClaimConfirmation, (claim.id, decider.unit_code))
            if asked is None:
                raise Refusal("not_allowed")
            if claim.state != "waiting_for_unit" or asked.state != "waiting":
                raise Refusal("claim_closed")
            agreed = order.agreed and person.may_hold
            asked.state = "confirmed" if agreed else "declined"
            asked.decided_by, asked.decided_at = order.account_id, order.at
            if not person.may_hold:
                claim.reason = "not_authorised"
            if agreed:
                matching = self._policy(writer, order.at).matching
                found = find_registrants(writer.connection(), claim.person_index)
                group = claims.by_unit(writer, found, matching).get(decider.unit_code, [])
                _move(writer, claim, order, group, person.unit_code)
            return _settled(writer, claim, order)

        return self._once(order, "decide_claim", contract.ClaimStands, effect)

    @activity.defn
    def lapse_claim(self, order: contract.ClaimOrder) -> contract.ClaimStands:
        """Close a claim whose time is up; else tell how it stands.

        A crash can lose an update after its transaction: then it is the deadline that finds what it did.
        """
        with writing(self._engine) as writer:
            claim = _lock(writer, order.claim_id)
            if claim.state == "stored":  # never opened: the same request may still do it
                return contract.ClaimStands(state="lapsed")
            if claim.due_at is not None and order.at >= claim.due_at:
                for asked in claims.waiting_confirmations(writer, claim.id):
                    asked.state = "lapsed"
                if claim.state == "waiting_for_unit":
                    return _settled(writer, claim, order)
                _close(claim, "lapsed", order.at, "code_expired")
            return _stands(claim).model_copy(update={"asked": codes.asked(writer, claim.id)})

    def _asked(self, order: contract.ClaimOrder, kind: str, states: set[ClaimState]) -> contract.CodeAsked:
        """Count a request for a code: one transaction, and no look at what is on record."""
        alarming = False

        def effect(writer: Writer, claim: Claim) -> contract.CodeAsked:
            nonlocal alarming
            if claim.state not in states:
                raise Refusal("claim_closed")
            policy = self._policy(writer, order.at)
            row = codes.ask(writer, claim.id, order.at, policy.code.resend_after)
            alarming = claims.count(writer, policy, claim, order.operation_id, order.at)
            claim.state, claim.due_at = "waiting_for_code", order.at + policy.code.valid_for
            return contract.CodeAsked(
                asked=row.asked, resend_at=order.at + policy.code.resend_after, due_at=claim.due_at
            )

        answer = self._once(order, kind, contract.CodeAsked, effect)
        if alarming:
            log.error("the day's budget of messages runs out")
        return answer

    def _policy(self, writer: Writer, at: datetime) -> ClaimingProcedure:
        return self._rulebooks.in_force(writer, at).release.procedure("claiming")

    def _once(
        self,
        order: contract.ClaimOrder,
        kind: str,
        model: type[Answer],
        effect: Callable[[Writer, Claim], Answer],
    ) -> Answer:
        claim_id = order.claim_id
        return once(self._engine, order, kind, model, lambda writer: _lock(writer, claim_id), effect)


def _lock(writer: Writer, claim_id: UUID) -> Claim:
    return writer.get_one(Claim, claim_id, with_for_update=True)


def _close(claim: Claim, state: ClaimState, at: datetime, reason: str) -> None:
    claim.state, claim.closed_at, claim.due_at, claim.reason = state, at, None, reason


def _move(
    writer: Writer,
    claim: Claim,
    order: contract.ClaimOrder,
    chosen: Sequence[Registrant],
    unit_code: str,
) -> None:
    done = move(
        writer.connection(),
        registrants=[each.id for each in chosen],
        to=claim.account_id,
        unit_code=unit_code,
        operation_id=order.operation_id,
        at=order.at,
    )
    claim.moved += done.count
    claim.drafts_left += done.drafts_left
    if done.already_own or done.already_moved:
        claim.already_moved += done.already_own + done.already_moved
        claim.reason = "moved_before" if done.already_moved else "already_own"


def _ask_units(
    writer: Writer,
    claim: Claim,
    foreign: dict[str | None, list[Registrant]],
    order: contract.ClaimOrder,
    decide_by: datetime,
) -> None:
    """Ask each unit on record that still has something to give; what nobody can confirm stays."""
    for unit_code, group in foreign.items():
        unheld, held = claims.count_backups(writer, group)
        claim.already_moved += held
        if unheld and unit_code is None:
            claim.reason = "unit_unknown"
        elif unheld and unit_code is not None:
            claim.due_at = decide_by
            writer.add(
                ClaimConfirmation(
                    claim_id=claim.id,
                    unit_code=unit_code,
                    backups=unheld,
                    asked_at=order.at,
                    decide_by=decide_by,
                )
            )
            deciders = claims.administrators(writer, unit_code)
            leave(writer, deciders, "unit_confirmation_asked", order.operation_id, order.at, count=unheld)
        elif held:
            claim.reason = "moved_before"


def _settled(writer: Writer, claim: Claim, order: contract.ClaimOrder) -> contract.ClaimStands:
    """The state that follows from what moved, and from what the units on record decided."""
    writer.flush()
    decisions = claims.decisions(writer, claim.id)
    if "waiting" in decisions:
        claim.state = "waiting_for_unit"
        return _stands(claim)
    state: ClaimState
    if claim.moved:
        state = "moved"
    elif claim.already_moved:
        state = "already_moved"
    elif "declined" in decisions or claim.reason == "unit_unknown":
        state = "declined"
    else:
        state = "lapsed" if "lapsed" in decisions else "moved"
    claim.state, claim.closed_at, claim.due_at = state, order.at, None
    leave(
        writer,
        [claim.account_id],
        f"claim_{state}",
        order.operation_id,
        order.at,
        count=claim.moved,
        drafts=claim.drafts_left,
    )
    return _stands(claim)


def _stands(claim: Claim) -> contract.ClaimStands:
    return contract.ClaimStands(
        state=claim.state, due_at=claim.due_at, moved=claim.moved, already_moved=claim.already_moved
    )
