"""What gives backups to other people, and what moves people, on the platform and in the model."""

from typing import Any
from uuid import UUID

from claims_town import refusal
from country import Record
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from platform_papers import DIES, PEOPLE, UNITS, WHICH, Handover, Papers, UnitClaim, pick


class Moves(Papers):
    """Claims, handovers, their undoing, and people who move to another unit or to none."""

    @rule(person=PEOPLE, to=st.sampled_from([0, 1, 0, 1, None]))
    def somebody_moves(self, person: int, to: int | None) -> None:
        who, town = self.here.residents[person], self.village.town
        unit = None if to is None else self.here.units[to]
        said: dict[str, Any] = {"unit_authorised": False} if unit is None else {"unit": unit}
        self.village.do(town.signs_in_as(who.person, **said))
        self.here.says(who, unit)

    # --- claims ---------------------------------------------------------------------------------------

    @precondition(lambda self: self.unclaimed())
    @rule(person=PEOPLE, dies=DIES)
    def somebody_claims_what_their_unit_has_on_record(self, person: int, dies: float | None) -> None:
        who = self.here.residents[person]
        if who.model.unit is None:
            return
        was, theirs = self.here.old[self.here.units.index(who.model.unit)]
        free = [each for each in theirs if each.holder() is None]
        if not free:
            return  # it takes a second, and the tests of claims do it
        said = {"name": was.name, "phone": was.phone}
        claim = UUID(self.village.asks(who.person, "POST", "/v1/claims", None, (), json=said).json()["id"])
        self.village.proves(who.person, f"/v1/claims/{claim}", claim, dies)
        shown = self.village.settled(who.person, f"/v1/claims/{claim}", "moved")
        assert shown["moved"] == len(free)
        self.country.gives(free, who.model.account, object())

    @precondition(lambda self: self.unclaimed())
    @rule(unit=UNITS, person=PEOPLE, dies=DIES)
    def a_unit_claims(self, unit: int, person: int, dies: float | None) -> None:
        (was, theirs), chief, heir = self.here.old[unit], self.here.chiefs[unit], self.here.residents[person]
        said = {"name": was.name, "phone": was.phone, "delegate_account_id": str(heir.model.account)}
        opened = self.village.asks(chief, "POST", "/v1/unit-claims", None, (), json=said)
        if heir.model.unit != self.here.units[unit]:
            assert refusal(opened) == (422, "delegate_not_a_member")
            return
        claim = UUID(opened.json()["id"])
        free = [each for each in theirs if each.holder() is None]
        if not free:
            shown = self.village.settled(chief, f"/v1/unit-claims/{claim}", "already_moved")
            assert shown["moved"] == 0
            return
        self.village.proves(chief, f"/v1/unit-claims/{claim}", claim, dies)
        shown = self.village.settled(chief, f"/v1/unit-claims/{claim}", "moved")
        assert shown["moved"] == len(free)
        move = object()
        self.claims.append(UnitClaim(claim, unit, move, self.country.step, free))
        self.country.gives(free, heir.model.account, move)

    @precondition(lambda self: self.claims)
    @rule(which=WHICH, dies=DIES)
    def a_unit_undoes_its_claim(self, which: int, dies: float | None) -> None:
        made = pick(self.claims, which)
        path = f"/v1/unit-claims/{made.id}"
        answer = self.village.asks(
            self.here.chiefs[made.unit], "POST", f"{path}/reversals", dies, json={"reason": "选错"}
        )
        if any(each.move is not made.move for each in made.backups):
            assert "reversed" not in answer.text.partition("message")[0], answer.text
        elif any(use >= made.step for each in made.backups for use in each.uses):
            assert refusal(answer) == (409, "used_in_prior_report")
        else:
            self.village.settled(self.here.chiefs[made.unit], path, "reversed")
            self.country.gives(made.backups, None, None)
            self.claims.remove(made)

    # --- handovers ------------------------------------------------------------------------------------

    @rule(unit=UNITS, one=PEOPLE, other=PEOPLE, late=st.sampled_from([False, False, True]), dies=DIES)
    def a_unit_hands_over(self, unit: int, one: int, other: int, late: bool, dies: float | None) -> None:
        code, chief = self.here.units[unit], self.here.chiefs[unit]
        old, new = self.here.residents[one], self.here.residents[other]
        names = {"from": str(old.model.account), "to": str(new.model.account)}
        held = self.country.of(old.model.account, code)
        shown = self.village.asks(chief, "POST", "/v1/handovers/previews", json=names)
        refused = None
        if not held:
            refused = 409, "nothing_to_hand_over"
        elif old is new:
            refused = 422, "same_delegate"
        elif new.model.unit != code:
            refused = 422, "delegate_not_a_member"
        if refused is not None:
            assert refusal(shown) == refused
            return
        assert shown.json()["backups"] == len(held)
        if late and old.model.unit == code:
            self.somebody_begins_a_draft(one, False, None)
        said = names | {"digest": shown.json()["digest"]}
        answer = self.village.asks(chief, "POST", "/v1/handovers", dies, json=said)
        if len(self.country.of(old.model.account, code)) > len(held):
            assert refusal(answer) == (409, "backups_changed")
            told = answer.json()["difference"]
            assert (told["came"], told["went"]) == (1, 0)
            return
        assert (answer.json()["state"], answer.json()["moved"]) == ("moved", len(held)), answer.text
        self.moved(UUID(answer.json()["id"]), unit, old.model.account, new.model.account, held)

    @precondition(lambda self: self.handovers)
    @rule(which=WHICH, dies=DIES)
    def a_unit_undoes_a_handover(self, which: int, dies: float | None) -> None:
        made = pick(self.handovers, which)
        [back] = [each for each in self.here.residents if each.model.account == made.old]
        path = f"/v1/handovers/{made.id}/reversals"
        answer = self.village.asks(self.here.chiefs[made.unit], "POST", path, dies)
        still = [each for each in self.country.backups if each.move is made.move]
        if back.model.unit != self.here.units[made.unit]:
            assert refusal(answer) == (422, "delegate_not_a_member")
        elif not still:
            assert refusal(answer) == (409, "nothing_to_hand_over")
        else:
            said = answer.json()
            told = said["state"], said["moved"], said["gone_on"]
            assert told == ("moved", len(still), made.moved - len(still)), answer.text
            self.moved(UUID(said["id"]), made.unit, made.new, made.old, still)

    def moved(self, id_: UUID, unit: int, old: UUID, new: UUID, backups: list[Record]) -> None:
        move = object()
        self.country.gives(backups, new, move)
        self.handovers.append(Handover(id_, unit, old, new, move, len(backups)))
