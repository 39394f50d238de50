"""Two who want the same backups at once: nothing is lost or held twice, and each is told what came of it."""

import asyncio
from uuid import uuid4

import pytest
from claims_town import ADMINISTRATOR, Town, refusal, town_in
from handover_ward import GAPS, PROJECT, Ward, delegation_rules
from temporalio.client import Client

from settings import Settings

MANY = 100_000
ROUNDS = 5


async def test_of_two_handovers_of_one_person_at_once_one_is_told_that_the_other_runs(town: Town) -> None:
    for _ in range(ROUNDS):
        ward = await Ward.built(town, 20)
        digest = (await ward.previewed())["digest"]
        answers = await asyncio.gather(
            ward.confirms(digest), ward.confirms(digest, ward.second, by=ward.second)
        )
        moved = [answer.json()["moved"] for answer in answers if answer.status_code == 201]
        refused = [refusal(answer)[1] for answer in answers if answer.status_code != 201]
        assert moved == [20]
        assert refused[0] in ("handover_in_progress", "nothing_to_hand_over")
        assert sorted(ward.held(each) for each in (ward.old, ward.heir, ward.second)) == [0, 0, 20]


async def test_the_same_confirmation_sent_twice_at_once_is_one_handover(town: Town) -> None:
    for _ in range(ROUNDS):
        ward = await Ward.built(town, 20)
        digest, key = (await ward.previewed())["digest"], str(uuid4())
        answers = await asyncio.gather(*(ward.confirms(digest, key=key) for _ in range(3)))
        assert [answer.json()["moved"] for answer in answers] == [20, 20, 20]
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert (ward.held(ward.heir), town.value(GAPS)) == (20, 0)


async def test_a_save_at_the_same_moment_counts_or_is_refused(town: Town) -> None:
    for _ in range(ROUNDS):
        ward = await Ward.built(town, 20)
        draft = await ward.drafts(ward.old)
        digest = (await ward.previewed())["digest"]
        path, headers = f"{draft}/steps/project", {"If-Match": '"1"'}
        saving, done = await asyncio.gather(
            ward.old.http.put(path, json={**PROJECT, "title": "最后一笔"}, headers=headers),
            ward.confirms(digest),
        )
        assert done.json()["moved"] == 21
        step = await ward.heir.gets(path)
        if saving.status_code == 200:
            assert (step["revision"], step["content"]["title"]) == (2, "最后一笔")
        else:
            assert saving.status_code in (403, 404)
            assert (step["revision"], step["content"]["title"]) == (1, PROJECT["title"])


async def test_a_submission_at_the_same_moment_is_numbered_or_left_to_the_new_delegate(town: Town) -> None:
    for _ in range(ROUNDS):
        ward = await Ward.built(town, 20)
        draft = await ward.fills(ward.old)
        digest = (await ward.previewed())["digest"]
        submitting, done = await asyncio.gather(
            ward.old.asks("POST", f"{draft}/submission"), ward.confirms(digest)
        )
        assert done.json()["moved"] == 21
        backup = await ward.heir.gets(draft)
        if submitting.status_code == 200:
            assert backup["number"] == submitting.json()["number"] is not None
        else:
            assert submitting.status_code in (403, 404)
            assert backup["state"] == "draft"
            again = await ward.heir.asks("POST", f"{draft}/submission")
            assert again.json()["verdict"] == "accepted"


async def test_a_withdrawal_at_the_same_moment_closes_the_draft_or_is_refused(town: Town) -> None:
    for _ in range(ROUNDS):
        ward = await Ward.built(town, 20)
        draft = await ward.drafts(ward.old)
        digest = (await ward.previewed())["digest"]
        closing, done = await asyncio.gather(
            ward.old.asks("POST", f"{draft}/withdrawal"), ward.confirms(digest)
        )
        assert done.json()["moved"] == 21
        state = (await ward.heir.gets(draft))["state"]
        assert state == ("withdrawn" if closing.status_code == 200 else "draft")


async def test_a_new_draft_at_the_same_moment_stays_or_is_shown_as_the_difference(town: Town) -> None:
    for _ in range(ROUNDS):
        ward = await Ward.built(town, 20)
        digest = (await ward.previewed())["digest"]
        draft, done = await asyncio.gather(ward.drafts(ward.old), ward.confirms(digest))
        if done.status_code == 201:
            assert (ward.held(ward.heir), ward.held(ward.old)) == (20, 1)
            assert (await ward.old.gets(draft))["state"] == "draft"
        else:
            assert refusal(done) == (409, "backups_changed")
            assert done.json()["current"]["backups"] == 21
            assert (ward.held(ward.heir), ward.held(ward.old)) == (0, 21)


async def test_a_claim_into_the_account_at_the_same_moment_is_neither_lost_nor_assigned_twice(
    town: Town,
) -> None:
    for _ in range(ROUNDS):
        ward = await Ward.built(town, 20)
        legacy = town.registrant(ward.unit, 10)
        claim = await ward.old.claims(legacy)
        code, digest = await town.code(claim), (await ward.previewed())["digest"]
        claimed, done = await asyncio.gather(ward.old.tries(claim, code), ward.confirms(digest))
        assert (claimed.json()["state"], claimed.json()["moved"]) == ("moved", 10)
        if done.status_code == 201:
            assert (ward.held(ward.old), ward.held(ward.heir)) == (10, 20)
        else:
            assert refusal(done) == (409, "backups_changed")
            assert (ward.held(ward.old), ward.held(ward.heir)) == (30, 0)


async def test_a_reversal_of_a_claim_and_a_handover_at_once_leave_whole_sets(town: Town) -> None:
    for _ in range(ROUNDS):
        ward = await Ward.built(town, 5)
        legacy = town.registrant(ward.unit, 20)
        claim = (await ward.chief.unit_claims(legacy, ward.old)).json()["id"]
        await ward.chief.proves(claim, unit=True)
        digest = (await ward.previewed())["digest"]
        undone, done = await asyncio.gather(
            ward.second.asks("POST", f"/v1/unit-claims/{claim}/reversals", json={"reason": "选错"}),
            ward.confirms(digest),
        )
        if done.status_code == 201:
            assert refusal(undone) == (409, "moved_on")
            assert (ward.held(ward.heir), ward.held(ward.old)) == (25, 0)
        else:
            assert (refusal(done), undone.json()["state"]) == ((409, "backups_changed"), "reversed")
            assert (ward.held(ward.heir), ward.held(ward.old)) == (0, 5)
            assert town.holders(legacy) == {None: 20}


async def test_claim_attribution_and_handovers_in_a_ring_all_end(town: Town) -> None:
    """Locks are taken in one order: nobody waits for ever, nobody is thrown out."""
    for _ in range(ROUNDS):
        ward = await Ward.built(town, 10)
        ward.gives(ward.heir, 10)
        legacy = town.registrant(ward.unit, 10)
        claim = await ward.heir.claims(legacy)
        code = await town.code(claim)
        there = (await ward.previewed())["digest"]
        back = (await ward.previewed(ward.old, of=ward.heir))["digest"]
        answers = await asyncio.gather(
            ward.confirms(there),
            ward.confirms(back, ward.old, of=ward.heir, by=ward.second),
            ward.heir.tries(claim, code),
            town.person(ward.unit, name=legacy.name, phone=f"+86{legacy.phone}"),
        )
        assert {answer.status_code for answer in answers[:2]} <= {201, 409}
        ours = {ward.old.account, ward.heir.account}
        others = sum(count for who, count in town.holders(legacy).items() if who not in ours)
        assert ward.held(ward.old) + ward.held(ward.heir) + others == 30
        assert town.value(GAPS) == 0


async def test_an_undoing_and_a_handover_onwards_at_once_are_told_of_one_another(town: Town) -> None:
    for _ in range(ROUNDS):
        ward = await Ward.built(town, 20)
        done = await ward.hands_over()
        digest = (await ward.previewed(ward.second, of=ward.heir))["digest"]
        onwards = ward.confirms(digest, ward.second, of=ward.heir, by=ward.second)
        answers = await asyncio.gather(ward.undoes(done), onwards)
        assert sorted(answer.status_code for answer in answers) == [201, 409]
        assert ward.held(ward.old) == (20 if answers[0].status_code == 201 else 0)
        assert ward.held(ward.old) + ward.held(ward.second) == 20


async def test_an_administrator_demoted_at_the_same_moment_hands_over_whole_or_not(town: Town) -> None:
    for _ in range(ROUNDS):
        ward = await Ward.built(town, 20)
        digest = (await ward.previewed())["digest"]
        demoting = asyncio.to_thread(ward.changes_account, ward.chief, "unit_administrator", False)
        done, _ = await asyncio.gather(ward.confirms(digest), demoting)
        moved = done.status_code == 201 and done.json()["state"] == "moved"
        assert ward.held(ward.heir) == (20 if moved else 0)
        assert moved or done.status_code == 403 or done.json()["state"] == "declined"


async def test_two_administrators_who_decide_at_once_decide_once(careful_town: Town) -> None:
    ward = await Ward.built(careful_town, 4)
    third = await careful_town.person(ward.unit, ADMINISTRATOR)
    waiting = await ward.hands_over("waiting_for_approval")
    answers = await asyncio.gather(
        ward.approves(waiting, ward.second), ward.approves(waiting, third, "decline")
    )
    assert sorted(answer.status_code for answer in answers) in ([200, 200], [200, 409])
    assert answers[1].status_code == 200 or answers[0].json()["state"] == "waiting_for_acceptance"
    assert ward.held(ward.old) == 4


# --- size -----------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
async def test_a_hundred_thousand_backups_leave_no_more_history_than_one(
    settings: Settings, client: Client
) -> None:
    async with town_in(settings, client, delegation_rules(approval={"above": MANY})) as town:
        lengths = []
        for backups in (1, MANY):
            ward = await Ward.built(town, backups)
            answer = await ward.confirms((await ward.previewed())["digest"])
            assert answer.status_code in (201, 202), answer.text
            assert (await ward.handle().result())["moved"] == backups
            assert (ward.held(ward.old), ward.held(ward.heir)) == (0, backups)
            events = (await ward.handle().fetch_history()).events
            lengths.append((len(events), sum(event.ByteSize() for event in events)))
    assert lengths[0][0] == lengths[1][0]
    assert abs(lengths[0][1] - lengths[1][1]) < 128
    assert lengths[0][0] <= 25
