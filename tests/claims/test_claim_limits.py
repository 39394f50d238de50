"""Limits over the API: counted on what was typed, alike for who is on record and who is not."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from claims_town import NOT_ACCEPTED, Person, Registrant, Town, changed_rules, refusal, town_in
from temporalio.client import Client
from temporalio.testing import TimeSkipper

from settings import Settings

TOO_MANY = (429, "too_many_claims")


async def claims(person: Person, who: Registrant) -> tuple[int, str]:
    answer = await person.asks("POST", "/v1/claims", json={"name": who.name, "phone": who.phone})
    return refusal(answer) if answer.status_code != 202 else (202, "")


@pytest.mark.parametrize("on_record", [True, False])
async def test_one_number_is_claimed_five_times_an_hour_whoever_asks(town: Town, on_record: bool) -> None:
    who = town.registrant(town.unit()) if on_record else town.stranger()
    people = [await town.person(town.unit()) for _ in range(6)]
    answers = [await claims(person, who) for person in people]
    assert answers == [(202, "")] * 5 + [TOO_MANY]
    answer = await people[0].asks("POST", "/v1/claims", json={"name": "另示例", "phone": who.phone})
    assert refusal(answer) == TOO_MANY, "another name does not make it another number"
    assert 3_590 <= int(answer.headers["Retry-After"]) <= 3_600
    assert answer.json()["retryable"]


async def test_one_account_claims_twenty_times_a_day(town: Town) -> None:
    person = await town.person(town.unit())
    answers = await asyncio.gather(*(claims(person, town.stranger()) for _ in range(24)))
    assert Counter(answers) == {(202, ""): 20, TOO_MANY: 4}


async def test_units_claims_count_like_those_of_persons(town: Town) -> None:
    unit = town.unit()
    chief, person = await town.person(unit, ("person", "unit_administrator")), await town.person(unit)
    who = town.stranger()
    for _ in range(3):
        assert (await chief.unit_claims(who, person)).status_code == 201
    assert [await claims(person, who) for _ in range(3)] == [(202, ""), (202, ""), TOO_MANY]
    assert refusal(await chief.unit_claims(who, person)) == TOO_MANY


async def test_a_refused_claim_is_no_claim_and_can_be_made_later_under_the_same_key(town: Town) -> None:
    person, who = await town.person(town.unit()), town.stranger()
    for _ in range(5):
        await claims(person, who)
    key, said = "5f0c8f0e-5a0c-4d6e-9a57-1f1d6a3e7b11", {"name": who.name, "phone": who.phone}
    for _ in range(2):
        assert refusal(await person.asks("POST", "/v1/claims", key, json=said)) == TOO_MANY
    assert len((await person.gets("/v1/claims"))["claims"]) == 5
    with town.engine.begin() as connection:  # an hour later
        connection.exec_driver_sql("UPDATE counted_request SET at = at - interval '1 hour'")
    assert (await person.asks("POST", "/v1/claims", key, json=said)).status_code == 202


async def test_further_codes_count_like_claims_and_what_is_refused_leaves_no_trace(
    town: Town, time_skipper: TimeSkipper
) -> None:
    person, who = await town.person(town.unit()), town.stranger()
    claim = await person.claims(who)
    for _ in range(4):
        await person.claims(who)
    await town.looked_up(claim)
    await time_skipper.fast_forward(town.handle(claim), timedelta(seconds=61))
    answer = await person.asks("POST", f"/v1/claims/{claim}/codes")
    assert refusal(answer) == TOO_MANY
    assert int(answer.headers["Retry-After"]) > 3_000
    events = len((await town.history(claim)).events)
    for _ in range(10):
        assert refusal(await person.asks("POST", f"/v1/claims/{claim}/codes")) == TOO_MANY
    assert len((await town.history(claim)).events) == events


async def test_a_crowd_of_guesses_over_http_is_five_tries(town: Town) -> None:
    unit = town.unit()
    old, person = town.registrant(unit), await town.person(unit)
    claim = await person.claims(old)
    code = await town.code(claim)
    turn = asyncio.Semaphore(32)

    async def guess(number: int) -> tuple[int, str]:
        async with turn:
            return refusal(await person.tries(claim, f"{number:06}"))

    guesses = [number for number in range(400) if f"{number:06}" != code]
    assert set(await asyncio.gather(*map(guess, guesses))) == {NOT_ACCEPTED}
    assert town.value("SELECT tries FROM verification_code WHERE claim_id = :id", id=claim) == 5
    assert refusal(await person.tries(claim, code)) == NOT_ACCEPTED
    assert town.holders(old) == {None: 3}
    assert len((await town.history(claim)).events) < 120, "guesses on a locked claim leave no trace"


async def test_the_days_budget_ends_all_claims_and_tells_operators_before(
    settings: Settings, client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    rules = changed_rules(daily_budget={"messages": 4, "alarm_at": 0.5})
    async with town_in(settings, client, rules) as town:
        people = [await town.person(town.unit()) for _ in range(5)]
        answers = [await claims(person, town.stranger()) for person in people]
        assert answers == [(202, "")] * 4 + [TOO_MANY]
        assert capfd.readouterr().err.count("budget of messages runs out") == 1
        assert town.value("SELECT count(*) FROM message_day WHERE alarmed_at IS NOT NULL") == 1


async def test_the_confirmation_by_the_unit_on_record_can_be_switched_off(
    settings: Settings, client: Client
) -> None:
    rules = changed_rules(unit_confirmation={"required": False})
    async with town_in(settings, client, rules) as town:
        old, person = town.registrant(town.unit()), await town.person(town.unit())
        assert (await person.claims_and_proves(old))["state"] == "moved"
        assert town.holders(old) == {person.account: 3}
