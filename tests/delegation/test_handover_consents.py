"""What the rule file can ask for: an approval, an acceptance, notices; and what becomes of them in time."""

from datetime import timedelta

import pytest
from claims_town import ADMINISTRATOR, Town, refusal
from handover_ward import Ward
from temporalio.testing import TimeSkipper

CLOSED = (409, "handover_closed")
NOT_ALLOWED = (403, "not_allowed")


async def test_the_default_asks_nobody_up_to_a_thousand_backups(town: Town) -> None:
    ward = await Ward.built(town, 1001)
    assert (await ward.previewed())["consents"] == ["approval"]
    waiting = await ward.hands_over("waiting_for_approval")
    assert await ward.told(ward.second) == ["handover_to_approve"]
    done = (await ward.approves(waiting, ward.second)).json()
    assert (done["state"], done["moved"], done["approver_id"]) == ("moved", 1001, str(ward.second.account))
    few = await Ward.built(town, 1000)
    assert (await few.hands_over())["moved"] == 1000


async def test_only_a_second_administrator_of_the_unit_approves(careful_town: Town) -> None:
    ward = await Ward.built(careful_town, 4)
    waiting = await ward.hands_over("waiting_for_approval")
    outsider = await careful_town.person(careful_town.unit(), ADMINISTRATOR)
    assert refusal(await ward.approves(waiting, ward.chief)) == NOT_ALLOWED
    assert refusal(await ward.approves(waiting, ward.heir)) == NOT_ALLOWED
    assert refusal(await ward.approves(waiting, outsider)) == (404, "not_found")
    assert refusal(await ward.accepts(waiting, ward.heir)) == CLOSED, "it is not yet the turn of the heir"
    ward.changes_account(ward.second, "unit_administrator", False)
    assert refusal(await ward.approves(waiting, ward.second)) == NOT_ALLOWED
    assert ward.held(ward.old) == 4


async def test_approval_and_acceptance_follow_one_another(careful_town: Town) -> None:
    ward = await Ward.built(careful_town, 4)
    assert (await ward.previewed())["consents"] == ["approval", "acceptance"]
    waiting = await ward.hands_over("waiting_for_approval")
    assert (await ward.approves(waiting, ward.second)).json()["state"] == "waiting_for_acceptance"
    assert await ward.told(ward.heir) == ["handover_to_accept"]
    assert refusal(await ward.approves(waiting, ward.second)) == CLOSED
    assert refusal(await ward.accepts(waiting, ward.old)) == NOT_ALLOWED
    assert refusal(await ward.accepts(waiting, ward.chief)) == (NOT_ALLOWED)
    assert ward.held(ward.old) == 4
    assert (await ward.accepts(waiting, ward.heir)).json()["state"] == "moved"
    assert ward.held(ward.heir) == 4
    assert await ward.told(ward.old) == [], "these rules tell nobody"
    assert await ward.told(ward.heir) == ["handover_to_accept"]
    assert refusal(await ward.accepts(waiting, ward.heir)) == CLOSED


@pytest.mark.parametrize("who", ["heir", "second", "chief"])
async def test_whoever_is_asked_can_decline_and_an_administrator_can_call_it_off(
    careful_town: Town, who: str
) -> None:
    ward = await Ward.built(careful_town, 2)
    waiting = await ward.hands_over("waiting_for_acceptance")
    person = getattr(ward, who)
    decide = ward.accepts if who == "heir" else ward.approves
    assert (await decide(waiting, person, "decline")).json()["state"] == "declined"
    assert await ward.told(ward.chief) == ["handover_declined"]
    assert refusal(await ward.accepts(waiting, ward.heir)) == CLOSED
    assert ward.held(ward.old) == 2
    assert (await ward.hands_over("waiting_for_acceptance"))["id"] != waiting["id"], "the way is free again"


async def test_what_is_accepted_too_late_to_be_what_was_shown_is_not_moved(careful_town: Town) -> None:
    ward = await Ward.built(careful_town, 2)
    waiting = await ward.hands_over("waiting_for_acceptance")
    await ward.drafts(ward.old)
    assert (await ward.accepts(waiting, ward.heir)).json()["state"] == "changed"
    assert await ward.told(ward.chief) == ["handover_changed"]
    assert (ward.held(ward.old), ward.held(ward.heir)) == (3, 0)


@pytest.mark.parametrize(
    ("who", "column"),
    [("chief", "unit_administrator"), ("second", "unit_administrator"), ("heir", "unit_authorised")],
)
async def test_everybodys_authorisation_counts_at_the_commit(
    careful_town: Town, who: str, column: str
) -> None:
    ward = await Ward.built(careful_town, 4)
    waiting = await ward.hands_over("waiting_for_approval")
    await ward.approves(waiting, ward.second)
    ward.changes_account(getattr(ward, who), column, False)
    answer = await ward.accepts(waiting, ward.heir)
    assert answer.json()["state"] == "declined"
    assert ward.row(waiting)["reason"] in ("not_allowed", "delegate_not_a_member")
    assert (ward.held(ward.old), ward.held(ward.heir)) == (4, 0)


@pytest.mark.parametrize(("backups", "state"), [(4, "waiting_for_approval"), (1, "waiting_for_acceptance")])
async def test_what_nobody_agrees_to_lapses(
    careful_town: Town, time_skipper: TimeSkipper, backups: int, state: str
) -> None:
    ward = await Ward.built(careful_town, backups)
    waiting = await ward.hands_over(state)
    handle = ward.handle()
    await time_skipper.fast_forward(handle, timedelta(days=29, hours=23))
    assert (await ward.chief.gets(f"/v1/handovers/{waiting['id']}"))["state"] == state
    await time_skipper.fast_forward(handle, timedelta(hours=2))
    assert (await handle.result())["state"] == "lapsed"
    assert await ward.told(ward.chief) == ["handover_lapsed"]
    assert ward.held(ward.old) == backups


async def test_while_one_waits_another_handover_of_the_same_person_is_told_so(careful_town: Town) -> None:
    ward = await Ward.built(careful_town, 2)
    waiting = await ward.hands_over("waiting_for_acceptance")
    digest = (await ward.previewed())["digest"]
    answer = await ward.confirms(digest, ward.second, by=ward.second)
    assert refusal(answer) == (409, "handover_in_progress")
    await ward.accepts(waiting, ward.heir, "decline")
    again = await ward.confirms(digest, ward.second, by=ward.second)
    assert again.json()["state"] == "waiting_for_acceptance", "once the way is free"


async def test_undoing_asks_nobody_else(careful_town: Town) -> None:
    ward = await Ward.built(careful_town, 4)
    waiting = await ward.hands_over("waiting_for_approval")
    await ward.approves(waiting, ward.second)
    await ward.accepts(waiting, ward.heir)
    row = ward.row(waiting)
    assert row["undo_until"] - row["closed_at"] == timedelta(hours=1), "as these rules have it"
    assert (await ward.undoes(waiting)).json()["state"] == "moved"
    assert ward.held(ward.old) == 4
