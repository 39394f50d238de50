"""A unit's claim, step by step, over the API on the real servers."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from claims_town import (
    ADMINISTRATOR,
    CLOSED,
    NOT_ACCEPTED,
    Person,
    Registrant,
    Town,
    refusal,
    wrong,
)
from sqlalchemy import text
from temporalio.testing import TimeSkipper

MANY = 101
"""One backup more than a single administrator may claim."""


class Hospital:
    """A unit with two administrators and somebody who is to hold backups."""

    def __init__(self, town: Town, unit: str, first: Person, second: Person, delegate: Person) -> None:
        self.town, self.unit = town, unit
        self.first, self.second, self.delegate = first, second, delegate

    @classmethod
    async def built(cls, town: Town) -> "Hospital":
        unit = town.unit()
        people = [await town.person(unit, roles) for roles in (ADMINISTRATOR, ADMINISTRATOR, ("person",))]
        return cls(town, unit, *people)

    async def claims(self, who: Registrant) -> UUID:
        answer = await self.first.unit_claims(who, self.delegate)
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"])

    async def moves(self, who: Registrant) -> UUID:
        claim = await self.claims(who)
        assert (await self.first.proves(claim, unit=True))["state"] == "moved"
        return claim

    async def approves(self, claim: UUID, by: Person, decision: str = "agree") -> Any:
        return await by.asks("POST", f"/v1/unit-claims/{claim}/approvals", json={"decision": decision})

    async def reverses(self, claim: UUID, by: Person) -> Any:
        path = f"/v1/unit-claims/{claim}/reversals"
        return await by.asks("POST", path, json={"reason": "委托人周示例选择有误"})


async def test_the_administrators_own_code_moves_the_backups_to_the_delegate(town: Town) -> None:
    unit = await Hospital.built(town)
    old = town.registrant(unit.unit, 4, drafts=1)
    claim = await unit.claims(old)
    opened = await unit.first.gets(f"/v1/unit-claims/{claim}")
    assert (opened["state"], opened["backups"]) == ("waiting_for_code", 4)
    assert opened["message"].startswith("信息校验无误")
    code = await town.code(claim)
    shown = "SELECT sms_inbox.phone FROM sms_inbox JOIN sms_message USING (id) WHERE case_id = :id"
    phone = town.value(shown, id=claim)
    assert phone.startswith("+86154"), "the administrator's own phone, not the one on record"
    assert refusal(await unit.first.tries(claim, wrong(code), unit=True)) == NOT_ACCEPTED
    done = await unit.first.proves(claim, unit=True)
    assert (done["state"], done["moved"], done["drafts_left"]) == ("moved", 4, 1)
    assert town.holders(old) == {unit.delegate.account: 4}
    assert await unit.delegate.notices() == ["unit_claim_received"]
    for administrator in (unit.first, unit.second):
        assert await administrator.notices() == ["unit_claim_moved"]
        [listed] = (await administrator.gets("/v1/unit-claims"))["claims"]
        assert listed["id"] == str(claim)


async def test_who_is_not_on_record_of_the_own_unit_is_not_matched(town: Town) -> None:
    unit = await Hospital.built(town)
    elsewhere = town.registrant(town.unit())
    for who in (town.stranger(), elsewhere):
        answer = await unit.first.unit_claims(who, unit.delegate)
        assert (answer.status_code, answer.json()["state"]) == (201, "not_matched")
    assert town.holders(elsewhere) == {None: 3}


async def test_what_was_moved_before_is_told(town: Town) -> None:
    unit = await Hospital.built(town)
    old = town.registrant(unit.unit)
    await unit.delegate.claims_and_proves(old)
    answer = await unit.first.unit_claims(old, unit.delegate)
    assert (answer.json()["state"], answer.json()["already_moved"]) == ("already_moved", 3)


async def test_a_delegate_is_chosen_among_people_of_one_name_by_masked_phone(town: Town) -> None:
    unit = await Hospital.built(town)
    namesakes = [await town.person(unit.unit, name="欧阳 示例") for _ in range(2)]
    await town.person(town.unit(), name="欧阳 示例")
    found = await unit.first.asks("POST", "/v1/unit-member-searches", json={"name": "歐陽示例"})
    members = found.json()["members"]
    assert {each["account_id"] for each in members} == {str(person.account) for person in namesakes}
    assert all(each["phone"].startswith("+86154****") for each in members)
    assert len({each["phone"] for each in members}) == 2


async def test_a_delegate_must_be_an_authorised_member_of_the_unit(town: Town) -> None:
    unit = await Hospital.built(town)
    old, outsider = town.registrant(unit.unit), await town.person(town.unit())
    answer = await unit.first.unit_claims(old, outsider)
    assert refusal(answer) == (422, "delegate_not_a_member")
    assert answer.json()["errors"][0]["pointer"] == "/delegate_account_id"


async def test_only_administrators_claim_for_the_unit(town: Town) -> None:
    unit = await Hospital.built(town)
    old = town.registrant(unit.unit)
    for answer in (
        await unit.delegate.unit_claims(old, unit.delegate),
        await unit.delegate.asks("GET", "/v1/unit-claims"),
        await unit.delegate.asks("POST", "/v1/unit-member-searches", json={"name": "钱示例"}),
    ):
        assert refusal(answer) == (403, "not_allowed")


@pytest.mark.parametrize("whose", ["delegate", "first"])
async def test_membership_counts_at_the_move_not_at_the_claim(town: Town, whose: str) -> None:
    unit = await Hospital.built(town)
    old = town.registrant(unit.unit)
    claim = await unit.claims(old)
    code = await town.code(claim)
    elsewhere = town.unit()
    with town.engine.begin() as connection:
        left = text("UPDATE account SET unit_code = :unit WHERE id = :id")
        connection.execute(text("INSERT INTO unit VALUES (:unit, '')"), {"unit": elsewhere})
        connection.execute(left, {"unit": elsewhere, "id": getattr(unit, whose).account})
    assert (await unit.first.tries(claim, code, unit=True)).json()["state"] == "declined"
    assert town.holders(old) == {None: 3}


# --- approval -------------------------------------------------------------------------------------


async def test_many_backups_wait_for_a_second_administrator(town: Town) -> None:
    unit = await Hospital.built(town)
    old = town.registrant(unit.unit, MANY)
    claim = await unit.claims(old)
    assert (await unit.first.proves(claim, unit=True))["state"] == "waiting_for_approval"
    assert town.holders(old) == {None: MANY}
    assert await unit.second.notices() == ["unit_claim_to_approve"]
    assert refusal(await unit.approves(claim, unit.first)) == (403, "not_allowed")
    assert refusal(await unit.approves(claim, unit.delegate)) == (403, "not_allowed")
    outsider = await town.person(town.unit(), ADMINISTRATOR)
    assert refusal(await unit.approves(claim, outsider)) == (404, "not_found")
    done = (await unit.approves(claim, unit.second)).json()
    assert (done["state"], done["moved"]) == ("moved", MANY)
    assert done["approver_id"] == str(unit.second.account)
    assert town.holders(old) == {unit.delegate.account: MANY}


async def test_a_second_administrator_can_decline(town: Town) -> None:
    unit = await Hospital.built(town)
    old = town.registrant(unit.unit, MANY)
    claim = await unit.claims(old)
    await unit.first.proves(claim, unit=True)
    assert (await unit.approves(claim, unit.second, "decline")).json()["state"] == "declined"
    assert refusal(await unit.approves(claim, unit.second)) == CLOSED
    assert town.holders(old) == {None: MANY}
    assert await unit.first.notices() == ["unit_claim_declined"]


async def test_an_approval_that_never_comes_lapses(town: Town, time_skipper: TimeSkipper) -> None:
    unit = await Hospital.built(town)
    old = town.registrant(unit.unit, MANY)
    claim = await unit.claims(old)
    await unit.first.proves(claim, unit=True)
    await time_skipper.fast_forward(town.handle(claim, unit=True), timedelta(days=30, minutes=1))
    assert (await town.handle(claim, unit=True).result())["state"] == "lapsed"
    assert town.holders(old) == {None: MANY}


# --- undoing ---------------------------------------------------------------------------------------


async def test_within_seven_days_the_move_can_be_taken_back(town: Town, time_skipper: TimeSkipper) -> None:
    unit = await Hospital.built(town)
    old = town.registrant(unit.unit)
    claim = await unit.moves(old)
    await time_skipper.fast_forward(town.handle(claim, unit=True), timedelta(days=6, hours=23))
    assert (await unit.reverses(claim, unit.second)).json()["state"] == "reversed"
    assert town.holders(old) == {None: 3}
    assert "unit_claim_reversed" in await unit.delegate.notices()
    stored = "SELECT r.reason FROM claim_reversal r JOIN unit_claim u ON reversal_id = r.id WHERE u.id = :id"
    reason = bytes(town.value(stored, id=claim))
    assert "周示例".encode() not in reason
    assert refusal(await unit.reverses(claim, unit.second)) == CLOSED
    again = await unit.moves(old)  # as if it had never been claimed
    assert again != claim


async def test_after_seven_days_it_stays(town: Town, time_skipper: TimeSkipper) -> None:
    unit = await Hospital.built(town)
    old = town.registrant(unit.unit)
    claim = await unit.moves(old)
    await time_skipper.fast_forward(town.handle(claim, unit=True), timedelta(days=7, seconds=1))
    assert (await town.handle(claim, unit=True).result())["state"] == "moved"
    assert refusal(await unit.reverses(claim, unit.first)) == CLOSED
    assert town.holders(old) == {unit.delegate.account: 3}


async def test_what_a_prior_report_has_used_is_not_taken_back_at_all(town: Town) -> None:
    unit = await Hospital.built(town)
    old = town.registrant(unit.unit)
    claim = await unit.moves(old)
    used = text(
        "INSERT INTO prior_report (backup_id, report_id, account_id, used_at, recorded_at, reported_by)"
        " SELECT id, 'R-1', delegate_id, now(), now(), gen_random_uuid() FROM backup"
        " WHERE registrant_id = :id LIMIT 1"
    )
    with town.engine.begin() as connection:
        connection.execute(used, {"id": old.id})
    assert refusal(await unit.reverses(claim, unit.first)) == (409, "used_in_prior_report")
    assert town.holders(old) == {unit.delegate.account: 3}


async def test_what_has_partly_gone_on_is_not_taken_back_at_all(town: Town) -> None:
    unit = await Hospital.built(town)
    old = town.registrant(unit.unit)
    claim = await unit.moves(old)
    with town.engine.begin() as connection:  # as a handover does
        one = connection.execute(
            text("SELECT id FROM backup WHERE registrant_id = :id LIMIT 1"), {"id": old.id}
        ).scalar_one()
        parameters = {"id": one, "to": unit.second.account, "unit": unit.unit}
        for statement in (
            "UPDATE delegation SET until = now() WHERE backup_id = :id",
            "UPDATE backup SET delegate_id = :to WHERE id = :id",
            "INSERT INTO delegation VALUES (:id, now(), NULL, :to, :unit, :id)",
        ):
            connection.execute(text(statement), parameters)
    assert refusal(await unit.reverses(claim, unit.first)) == (409, "moved_on")
    assert town.holders(old) == {unit.delegate.account: 2, unit.second.account: 1}


async def test_after_five_wrong_codes_a_units_claim_is_locked(town: Town) -> None:
    unit = await Hospital.built(town)
    old = town.registrant(unit.unit)
    claim = await unit.claims(old)
    code = await town.code(claim)
    assert refusal(await unit.second.tries(claim, code, unit=True)) == NOT_ACCEPTED, "not their own code"
    for _ in range(5):
        assert refusal(await unit.first.tries(claim, wrong(code), unit=True)) == NOT_ACCEPTED
    assert refusal(await unit.first.tries(claim, code, unit=True)) == NOT_ACCEPTED
    assert (await unit.first.gets(f"/v1/unit-claims/{claim}"))["state"] == "locked"


async def test_a_units_claim_lapses_with_its_code(town: Town, time_skipper: TimeSkipper) -> None:
    unit = await Hospital.built(town)
    claim = await unit.claims(town.registrant(unit.unit))
    code = await town.code(claim)
    await time_skipper.fast_forward(town.handle(claim, unit=True), timedelta(minutes=5, seconds=1))
    assert (await town.handle(claim, unit=True).result())["state"] == "lapsed"
    assert refusal(await unit.first.tries(claim, code, unit=True)) == NOT_ACCEPTED
