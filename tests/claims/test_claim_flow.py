"""A person's claim, step by step, over the API on the real servers."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from claims_town import ADMINISTRATOR, CLOSED, NOT_ACCEPTED, Person, Registrant, Town, refusal, wrong
from sqlalchemy import text
from temporalio.testing import TimeSkipper

import api.claims
from schemas.contracts.claims import OpenClaim

SECOND = timedelta(seconds=1)


async def test_the_right_code_moves_all_numbered_backups_and_leaves_the_drafts(town: Town) -> None:
    unit = town.unit()
    old, person = town.registrant(unit, 4, drafts=2), await town.person(unit)
    claim = await person.claims(old)
    assert (await person.claim(claim))["state"] == "waiting_for_code"
    assert refusal(await person.tries(claim, wrong(await town.code(claim)))) == NOT_ACCEPTED
    assert town.holders(old) == {None: 4}
    done = await person.proves(claim)
    assert (done["state"], done["moved"], done["drafts_left"]) == ("moved", 4, 2)
    assert town.holders(old) == {person.account: 4}
    assert len((await person.gets(done["backups"]))["backups"]) == 4
    assert [each["id"] for each in (await person.gets("/v1/claims"))["claims"]] == [str(claim)]
    assert await person.notices() == ["claim_moved"]


async def test_without_a_match_nothing_is_sent_and_no_code_is_right(town: Town) -> None:
    person = await town.person(town.unit())
    claim = await person.claims(town.stranger())
    await town.looked_up(claim)
    assert (await person.claim(claim))["state"] == "waiting_for_code"
    assert refusal(await person.tries(claim, "000000")) == NOT_ACCEPTED
    assert town.value("SELECT count(*) FROM sms_message WHERE case_id = :id", id=claim) == 0


async def test_another_code_can_be_asked_for_after_a_minute_and_voids_the_first(
    town: Town, time_skipper: TimeSkipper
) -> None:
    unit = town.unit()
    old, person = town.registrant(unit), await town.person(unit)
    claim = await person.claims(old)
    first = await town.code(claim)
    early = await person.asks("POST", f"/v1/claims/{claim}/codes")
    assert refusal(early) == (429, "too_many_claims")
    assert 0 < int(early.headers["Retry-After"]) <= 60
    await time_skipper.fast_forward(town.handle(claim), 61 * SECOND)
    again = await person.asks("POST", f"/v1/claims/{claim}/codes")
    assert again.status_code == 202
    second = await town.code(claim, 2)
    if first != second:  # once in a million they are the same
        assert refusal(await person.tries(claim, first)) == NOT_ACCEPTED
    assert (await person.tries(claim, second)).json()["state"] == "moved"


async def test_after_five_wrong_codes_the_claim_is_locked_even_for_the_right_one(town: Town) -> None:
    unit = town.unit()
    old, person = town.registrant(unit), await town.person(unit)
    claim = await person.claims(old)
    code = await town.code(claim)
    for _ in range(5):
        assert refusal(await person.tries(claim, wrong(code))) == NOT_ACCEPTED
    assert refusal(await person.tries(claim, code)) == NOT_ACCEPTED
    assert (await person.claim(claim))["state"] == "locked"
    assert refusal(await person.asks("POST", f"/v1/claims/{claim}/codes")) == CLOSED
    assert town.holders(old) == {None: 3}


async def test_a_code_is_right_until_its_time_is_up(town: Town, time_skipper: TimeSkipper) -> None:
    unit = town.unit()
    old, person = town.registrant(unit), await town.person(unit)
    claim = await person.claims(old)
    code = await town.code(claim)
    assert await time_skipper.fast_forward(town.handle(claim), 290 * SECOND)
    assert (await person.tries(claim, code)).json()["state"] == "moved"


async def test_a_claim_lapses_with_its_last_code(town: Town, time_skipper: TimeSkipper) -> None:
    unit = town.unit()
    old, person = town.registrant(unit), await town.person(unit)
    claim = await person.claims(old)
    code = await town.code(claim)
    await time_skipper.fast_forward(town.handle(claim), 301 * SECOND)
    assert (await town.handle(claim).result())["state"] == "lapsed"
    assert refusal(await person.tries(claim, code)) == NOT_ACCEPTED
    assert (await person.claim(claim))["state"] == "lapsed"
    assert town.holders(old) == {None: 3}


async def test_what_is_on_record_of_another_unit_waits_for_its_administrator(town: Town) -> None:
    here, there = town.unit(), town.unit()
    person, decider = await town.person(here), await town.person(there, ADMINISTRATOR)
    mine = town.registrant(here, 2)
    other = town.registrant(there, 3, same_as=mine)
    claim = await person.claims(mine)
    waiting = await person.proves(claim)
    assert (waiting["state"], waiting["moved"], waiting["waiting_for_units"]) == ("waiting_for_unit", 2, 1)
    assert town.holders(other) == {None: 3}
    [asked] = (await decider.gets("/v1/unit-confirmations"))["confirmations"]
    assert (asked["claim_id"], asked["name"], asked["backups"]) == (str(claim), "钱**", 3)
    assert asked["phone"].startswith("+86154****")
    assert await decider.notices() == ["unit_confirmation_asked"]
    decided = await decider.asks("POST", f"/v1/claims/{claim}/confirmations", json={"decision": "agree"})
    assert decided.status_code == 204
    assert (await person.claim(claim))["moved"] == 5
    assert town.holders(other) == {person.account: 3}
    again = await decider.asks("POST", f"/v1/claims/{claim}/confirmations", json={"decision": "agree"})
    assert refusal(again) == CLOSED
    assert (await decider.gets("/v1/unit-confirmations"))["confirmations"] == []


async def _waiting_for_a_unit(town: Town) -> tuple[Person, Registrant, UUID, str]:
    here, there = town.unit(), town.unit()
    person, old = await town.person(here), town.registrant(there)
    claim = await person.claims(old)
    assert (await person.proves(claim))["state"] == "waiting_for_unit"
    return person, old, claim, there


async def test_a_unit_that_declines_keeps_its_backups(town: Town) -> None:
    person, old, claim, there = await _waiting_for_a_unit(town)
    decider = await town.person(there, ADMINISTRATOR)
    await decider.asks("POST", f"/v1/claims/{claim}/confirmations", json={"decision": "decline"})
    assert (await person.claim(claim))["state"] == "declined"
    assert town.holders(old) == {None: 3}
    assert await person.notices() == ["claim_declined"]


async def test_a_unit_that_does_not_decide_in_time_keeps_its_backups(
    town: Town, time_skipper: TimeSkipper
) -> None:
    person, old, claim, _ = await _waiting_for_a_unit(town)
    assert await time_skipper.fast_forward(town.handle(claim), timedelta(days=29, hours=23))
    await time_skipper.fast_forward(town.handle(claim), timedelta(hours=2))
    assert (await town.handle(claim).result())["state"] == "lapsed"
    assert (await person.claim(claim))["state"] == "lapsed"
    assert town.holders(old) == {None: 3}


async def test_only_an_administrator_of_the_unit_on_record_decides(town: Town) -> None:
    _, old, claim, there = await _waiting_for_a_unit(town)
    path, agree = f"/v1/claims/{claim}/confirmations", {"decision": "agree"}
    stranger, colleague = await town.person(town.unit(), ADMINISTRATOR), await town.person(there)
    assert refusal(await stranger.asks("POST", path, json=agree)) == (404, "not_found")
    assert refusal(await colleague.asks("POST", path, json=agree)) == (403, "not_allowed")
    assert (await stranger.gets("/v1/unit-confirmations"))["confirmations"] == []
    assert town.holders(old) == {None: 3}


async def test_an_administrator_who_has_lost_the_office_cannot_decide_with_an_old_token(town: Town) -> None:
    _, old, claim, there = await _waiting_for_a_unit(town)
    decider = await town.person(there, ADMINISTRATOR)
    with town.engine.begin() as connection:  # the mirror knows, this API process does not yet
        lost = "UPDATE account SET unit_administrator = false WHERE id = :id"
        connection.execute(text(lost), {"id": decider.account})
    answer = await decider.asks("POST", f"/v1/claims/{claim}/confirmations", json={"decision": "agree"})
    assert refusal(answer) == (403, "not_allowed")
    assert town.holders(old) == {None: 3}


async def test_a_unit_on_record_by_name_alone_is_the_unit_of_that_name(town: Town) -> None:
    unit = town.unit()
    old = town.registrant(None, unit_name=f"示例單位 {unit[-6:]}")
    done = await (await town.person(unit)).claims_and_proves(old)
    assert (done["state"], done["moved"]) == ("moved", 3)


async def test_what_is_on_record_of_a_unit_nobody_knows_is_not_given_away(town: Town) -> None:
    old = town.registrant(None, unit_name="无人知晓的单位")
    person = await town.person(town.unit())
    done = await person.claims_and_proves(old)
    assert done["state"] == "declined"
    assert town.value("SELECT reason FROM claim WHERE id = :id", id=done["id"]) == "unit_unknown"
    assert town.holders(old) == {None: 3}


async def test_who_comes_second_is_told_that_the_backups_were_moved_before(town: Town) -> None:
    unit = town.unit()
    old, first, second = town.registrant(unit), await town.person(unit), await town.person(unit)
    await first.claims_and_proves(old)
    done = await second.claims_and_proves(old)
    assert (done["state"], done["moved"], done["already_moved"]) == ("already_moved", 0, 3)
    assert town.value("SELECT reason FROM claim WHERE id = :id", id=done["id"]) == "moved_before"
    assert town.holders(old) == {first.account: 3}


async def test_somebody_with_nothing_but_drafts_is_told_so_after_the_code(town: Town) -> None:
    unit = town.unit()
    done = await (await town.person(unit)).claims_and_proves(town.registrant(unit, 0, drafts=2))
    assert (done["state"], done["moved"], done["drafts_left"]) == ("moved", 0, 2)


async def test_a_person_without_authorisation_by_now_gets_nothing(town: Town) -> None:
    unit = town.unit()
    old, person = town.registrant(unit), await town.person(unit)
    claim = await person.claims(old)
    code = await town.code(claim)
    with town.engine.begin() as connection:
        lost = "UPDATE account SET unit_authorised = false WHERE id = :id"
        connection.execute(text(lost), {"id": person.account})
    assert (await person.tries(claim, code)).json()["state"] == "declined"
    assert town.holders(old) == {None: 3}


# --- whose claim, whose code, and how often -----------------------------------------------------------


async def test_a_claim_is_nobody_elses(town: Town) -> None:
    unit = town.unit()
    old, person, other = town.registrant(unit), await town.person(unit), await town.person(unit)
    claim = await person.claims(old)
    code = await town.code(claim)
    assert refusal(await other.tries(claim, code)) == NOT_ACCEPTED
    for answer in (
        await other.asks("GET", f"/v1/claims/{claim}"),
        await other.asks("POST", f"/v1/claims/{claim}/codes"),
    ):
        assert refusal(answer) == (404, "not_found")
    assert (await other.gets("/v1/claims"))["claims"] == []
    assert (await person.tries(claim, code)).json()["state"] == "moved"


async def test_a_code_is_for_one_claim_and_one_use(town: Town) -> None:
    unit = town.unit()
    old, person = town.registrant(unit), await town.person(unit)
    first, second = await person.claims(old), await person.claims(old)
    code, other = await town.code(first), await town.code(second)
    if code != other:  # once in a million they are the same
        assert refusal(await person.tries(second, code)) == NOT_ACCEPTED
    assert (await person.tries(first, code)).json()["state"] == "moved"
    assert refusal(await person.tries(first, code)) == NOT_ACCEPTED


async def test_the_same_request_again_is_the_same_claim_and_the_same_try(town: Town) -> None:
    unit = town.unit()
    old, person = town.registrant(unit), await town.person(unit)
    key, attempt = str(uuid4()), str(uuid4())
    claims = {await person.claims(old, key=key) for _ in range(3)}
    [claim] = claims
    code = await town.code(claim)
    mistyped = wrong(code)
    for _ in range(6):
        assert refusal(await person.tries(claim, mistyped, attempt)) == NOT_ACCEPTED
    assert town.value("SELECT tries FROM verification_code WHERE claim_id = :id", id=claim) == 1
    assert refusal(await person.tries(claim, code, attempt)) == (422, "idempotency_key_reused")
    right = str(uuid4())
    answers = [await person.tries(claim, code, right) for _ in range(2)]
    assert [answer.json()["state"] for answer in answers] == ["moved", "moved"]
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert len(town.messages(claim)) == 1


async def test_the_same_request_at_once_is_one_claim(town: Town) -> None:
    unit = town.unit()
    old, person = town.registrant(unit), await town.person(unit)
    key = str(uuid4())
    claims = await asyncio.gather(*(person.claims(old, key=key) for _ in range(5)))
    assert len(set(claims)) == 1
    await town.code(claims[0])
    counted = "SELECT count(*) FROM counted_request WHERE key = :key"
    assert town.value(counted, key=f"account:{person.account}") == 1


async def test_tries_are_those_of_the_claim_over_all_its_runs(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.claim_requests.OpenClaim", partial(OpenClaim, events_per_run=12))
    unit = town.unit()
    old, person = town.registrant(unit), await town.person(unit)
    claim = await person.claims(old)
    code = await town.code(claim)
    runs = set()
    for _ in range(5):
        runs.add((await town.handle(claim).describe()).run_id)
        assert refusal(await person.tries(claim, wrong(code))) == NOT_ACCEPTED
    assert len(runs) > 1
    assert refusal(await person.tries(claim, code)) == NOT_ACCEPTED
    assert (await person.claim(claim))["state"] == "locked"


async def test_a_repetition_that_comes_as_the_move_ends_gets_the_first_answer(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it reads says that the backups are being moved; when its question arrives they have been."""
    unit = town.unit()
    old, person = town.registrant(unit), await town.person(unit)
    claim, key = await person.claims(old), str(uuid4())
    first = await person.tries(claim, await town.code(claim), key)
    assert first.status_code == 200, first.text
    await town.handle(claim).result()

    def read_before(*asked: Any) -> Any:
        row = own(*asked)
        row.state = "moving"
        return row

    own = api.claims._own
    monkeypatch.setattr(api.claims, "_own", read_before)
    again = await person.tries(claim, town.messages(claim)[0], key)
    assert again.headers.get("Idempotency-Replayed") == "true", again.text
    assert again.status_code in (200, 202)
