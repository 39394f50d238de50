"""Two who want the same backups at once: one gets all, the other is told that they were moved before."""

import asyncio
from uuid import UUID

import pytest
from claims_town import ADMINISTRATOR, Town

MANY = 100_000
ROUNDS = 5
ATTRIBUTED = "SELECT count(*) FROM operation WHERE case_id = :id AND outcome IS NOT NULL"
SENT = "SELECT state = 'sent' FROM sms_message WHERE case_id = :id"


async def test_of_two_claims_at_once_one_wins_whole(town: Town) -> None:
    for _ in range(ROUNDS):
        unit = town.unit()
        old = town.registrant(unit, 20)
        people = [await town.person(unit) for _ in range(3)]
        claims = [await person.claims(old) for person in people]
        codes = [await town.code(claim) for claim in claims]
        answers = await asyncio.gather(
            *(person.tries(claim, code) for person, claim, code in zip(people, claims, codes, strict=True))
        )
        states = sorted(answer.json()["state"] for answer in answers)
        assert states == ["already_moved", "already_moved", "moved"]
        [(holder, count)] = town.holders(old).items()
        assert count == 20
        winner = next(answer.json()["moved"] for answer in answers if answer.json()["state"] == "moved")
        assert (holder in {person.account for person in people}, winner) == (True, 20)


async def test_of_a_persons_and_a_units_claim_at_once_one_wins_whole(town: Town) -> None:
    for _ in range(ROUNDS):
        unit = town.unit()
        old, person, heir = town.registrant(unit, 20), await town.person(unit), await town.person(unit)
        chief = await town.person(unit, ADMINISTRATOR)
        own = await person.claims(old)
        units = UUID((await chief.unit_claims(old, heir)).json()["id"])
        codes = await town.code(own), await town.code(units)
        answers = await asyncio.gather(person.tries(own, codes[0]), chief.tries(units, codes[1], unit=True))
        assert sorted(answer.json()["state"] for answer in answers) == ["already_moved", "moved"]
        assert list(town.holders(old).values()) == [20]


async def test_of_a_claim_and_an_attribution_at_once_one_wins_whole(town: Town) -> None:
    for _ in range(ROUNDS):
        unit = town.unit()
        old, person = town.registrant(unit, 20), await town.person(unit)
        claim = await person.claims(old)
        code = await town.code(claim)
        # somebody whose account has the very name and phone on record signs in for the first time
        newcomer, answer = await asyncio.gather(
            town.person(unit, name=old.name, phone=f"+86{old.phone}"), person.tries(claim, code)
        )
        await town.comes_true(ATTRIBUTED, id=newcomer.account)
        [(holder, count)] = town.holders(old).items()
        assert count == 20
        assert (holder == person.account) == (answer.json()["state"] == "moved")
        assert holder in {person.account, newcomer.account}


async def test_of_two_administrators_who_decide_at_once_one_decides(town: Town) -> None:
    here, there = town.unit(), town.unit()
    old, person = town.registrant(there, 5), await town.person(here)
    deciders = [await town.person(there, ADMINISTRATOR) for _ in range(2)]
    done = await person.claims_and_proves(old)
    path = f"/v1/claims/{done['id']}/confirmations"
    said = ("agree", "decline")
    answers = await asyncio.gather(
        *(each.asks("POST", path, json={"decision": word}) for each, word in zip(deciders, said, strict=True))
    )
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    agreed = answers[0].status_code == 204
    assert town.holders(old) == {person.account if agreed else None: 5}


async def test_a_reversal_and_a_claim_at_once_leave_whole_sets(town: Town) -> None:
    unit = town.unit()
    old, heir, person = town.registrant(unit, 20), await town.person(unit), await town.person(unit)
    chief = await town.person(unit, ADMINISTRATOR)
    units = UUID((await chief.unit_claims(old, heir)).json()["id"])
    await chief.proves(units, unit=True)
    claim = await person.claims(old)
    code = await town.code(claim)
    answers = await asyncio.gather(
        chief.asks("POST", f"/v1/unit-claims/{units}/reversals", json={"reason": "选错"}),
        person.tries(claim, code),
    )
    assert answers[0].json()["state"] == "reversed"
    [(holder, count)] = town.holders(old).items()
    assert count == 20
    assert holder == (person.account if answers[1].json()["state"] == "moved" else None)


# --- size -----------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
async def test_a_hundred_thousand_backups_leave_no_more_history_than_one(town: Town) -> None:
    unit = town.unit()
    lengths = []
    for backups in (1, MANY):
        person, old = await town.person(unit), town.registrant(unit, backups)
        claim = await person.claims(old)
        code = await town.code(claim)
        await town.comes_true(SENT, id=claim)
        assert (await person.tries(claim, code)).status_code in (200, 202)
        await town.handle(claim).result()
        assert town.holders(old) == {person.account: backups}
        events = (await town.history(claim)).events
        lengths.append((len(events), sum(event.ByteSize() for event in events)))
    assert lengths[0][0] == lengths[1][0]
    assert abs(lengths[0][1] - lengths[1][1]) < 128
    assert lengths[0][0] <= 45
    assert lengths[0][1] <= 16 * 1024
