"""Bad input of a handover: nothing moves by mistake, and everybody is told why."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from claims_town import ADMINISTRATOR, Town, refusal
from handover_ward import Ward
from sqlalchemy import text

NOT_A_MEMBER = (422, "delegate_not_a_member")
NOTHING = (409, "nothing_to_hand_over")


async def test_a_stale_digest_moves_nothing_and_shows_how_it_stands_now(town: Town) -> None:
    ward = await Ward.built(town, 3)
    stale = (await ward.previewed())["digest"]
    draft = await ward.drafts(ward.old)
    answer = await ward.confirms(stale)
    assert refusal(answer) == (409, "backups_changed")
    now = answer.json()["current"]
    assert (now["backups"], now["states"]) == (4, {"draft": 1, "numbered": 3})
    assert now["first"][0]["id"] == draft.rpartition("/")[2]
    assert now["digest"] != stale
    assert ward.held(ward.old) == 4
    assert await ward.told(ward.heir) == []
    assert (await ward.confirms(now["digest"])).json()["moved"] == 4


async def test_who_confirms_too_late_sees_which_backups_came_and_which_went(town: Town) -> None:
    ward = await Ward.built(town, 1)
    old = town.registrant(ward.unit, 2)
    claim = await ward.chief.unit_claims(old, ward.old)
    await ward.chief.proves(UUID(claim.json()["id"]), unit=True)
    await town.comes_true("SELECT state = 'moved' FROM unit_claim WHERE id = :id", id=claim.json()["id"])
    shown = await ward.previewed()
    path, said = f"/v1/unit-claims/{claim.json()['id']}/reversals", {"reason": "选错"}
    assert (await ward.chief.asks("POST", path, json=said)).json()["state"] == "reversed"
    came = [(await ward.drafts(ward.old)).rpartition("/")[2] for _ in range(2)]
    answer = (await ward.confirms(shown["digest"])).json()
    went = {backup["id"] for backup in shown["first"]} - {each["id"] for each in answer["current"]["first"]}
    told = answer["difference"]
    assert (told["came"], [each["id"] for each in told["came_first"]]) == (2, came[::-1])
    assert (told["went"], {each["id"] for each in told["went_first"]}) == (2, went)
    again = (await ward.confirms(answer["current"]["digest"])).json()
    assert again["moved"] == 3


async def test_a_digest_that_nobody_here_was_shown_tells_no_difference(town: Town) -> None:
    ward, other = await Ward.built(town, 1), await Ward.built(town, 1)
    foreign = (await other.previewed())["digest"]
    for digest in (foreign, "0" * 64):
        answer = (await ward.confirms(digest)).json()
        assert (answer["current"]["backups"], answer["difference"]) == (1, None)
    yesterday = (await ward.previewed())["digest"]
    with town.engine.begin() as connection:
        connection.execute(text("UPDATE handover_preview SET shown_at = shown_at - interval '25 hours'"))
    ward.gives(ward.old, 1)
    await ward.previewed()
    assert (await ward.confirms(yesterday)).json()["difference"] is None
    assert town.value("SELECT count(*) FROM handover_preview") == 1, "what is too old is forgotten"


async def test_the_same_stale_request_again_is_refused_again(town: Town) -> None:
    ward = await Ward.built(town, 1)
    stale, key = (await ward.previewed())["digest"], str(uuid4())
    ward.gives(ward.old, 1)
    assert refusal(await ward.confirms(stale, key=key)) == (409, "backups_changed")
    assert refusal(await ward.confirms(stale, key=key)) == (409, "backups_changed")
    assert ward.held(ward.old) == 2


async def test_a_backup_that_was_only_submitted_meanwhile_is_still_what_was_shown(town: Town) -> None:
    ward = await Ward.built(town, 1)
    draft = await ward.drafts(ward.old)
    digest = (await ward.previewed())["digest"]
    assert (await ward.old.asks("POST", f"{draft}/withdrawal")).status_code == 200
    assert (await ward.confirms(digest)).json()["moved"] == 2


async def test_nobody_hands_over_to_oneself(town: Town) -> None:
    ward = await Ward.built(town, 1)
    digest = (await ward.previewed())["digest"]
    for answer in (await ward.previews(ward.old), await ward.confirms(digest, ward.old)):
        assert refusal(answer) == (422, "same_delegate")
        assert answer.json()["errors"][0]["pointer"] == "/to"
    assert ward.held(ward.old) == 1


@pytest.mark.parametrize(
    ("column", "value"), [("unit_authorised", False), ("real_name_verified", False), ("unit_code", None)]
)
async def test_the_new_delegate_must_be_authorised_at_this_moment(
    town: Town, column: str, value: object
) -> None:
    ward = await Ward.built(town, 2)
    digest = (await ward.previewed())["digest"]
    ward.changes_account(ward.heir, column, value)  # a second ago
    for answer in (await ward.previews(), await ward.confirms(digest)):
        assert refusal(answer) == NOT_A_MEMBER
    assert ward.held(ward.old) == 2


async def test_members_of_other_units_and_nobody_at_all_are_no_delegates(town: Town) -> None:
    ward = await Ward.built(town, 2)
    digest = (await ward.previewed())["digest"]
    outsider = await town.person(town.unit())
    for to in (str(outsider.account), str(uuid4())):
        for path, said in (("/previews", {}), ("", {"digest": digest})):
            body = {"from": str(ward.old.account), "to": to, **said}
            answer = await ward.chief.asks("POST", f"/v1/handovers{path}", json=body)
            assert refusal(answer) == NOT_A_MEMBER
    assert ward.held(ward.old) == 2


async def test_who_holds_nothing_for_the_unit_looks_like_who_does_not_exist(town: Town) -> None:
    ward, other = await Ward.built(town), await Ward.built(town, 3)
    answers = []
    for from_ in (ward.old.account, other.old.account, uuid4()):
        said: dict[str, Any] = {"from": str(from_)}
        answer = await ward.previews(**said)
        assert refusal(answer) == NOTHING
        body = answer.json()
        answers.append({key: body[key] for key in body if key != "instance"})
        assert refusal(await ward.confirms("0" * 64, **said)) == NOTHING
    assert answers[0] == answers[1] == answers[2]
    assert other.held(other.old) == 3


async def test_only_administrators_of_the_unit_hand_over(town: Town) -> None:
    ward = await Ward.built(town, 2)
    digest = (await ward.previewed())["digest"]
    for person in (ward.old, ward.heir):
        assert refusal(await ward.previews(by=person)) == (403, "not_allowed")
        assert refusal(await ward.confirms(digest, by=person)) == (403, "not_allowed")
    outsider = await town.person(town.unit(), ADMINISTRATOR)
    assert refusal(await ward.confirms(digest, by=outsider)) == NOTHING
    done = await ward.hands_over()
    assert refusal(await ward.undoes(done, ward.old)) == (403, "not_allowed")
    assert refusal(await ward.undoes(done, outsider)) == (404, "not_found")
    assert ward.held(ward.heir) == 2


@pytest.mark.parametrize(
    ("column", "value"), [("unit_administrator", False), ("unit_authorised", False), ("unit_code", None)]
)
async def test_an_administrator_demoted_in_between_hands_nothing_over(
    town: Town, column: str, value: object
) -> None:
    ward = await Ward.built(town, 2)
    digest = (await ward.previewed())["digest"]
    ward.changes_account(ward.chief, column, value)  # the token still says otherwise
    assert refusal(await ward.confirms(digest)) == (403, "not_allowed")
    assert ward.held(ward.old) == 2


async def test_an_administrator_demoted_in_between_undoes_nothing(town: Town) -> None:
    ward = await Ward.built(town, 2)
    done = await ward.hands_over()
    ward.changes_account(ward.chief, "unit_administrator", False)
    assert refusal(await ward.undoes(done)) == (403, "not_allowed")
    assert ward.held(ward.heir) == 2


async def test_nothing_is_handed_back_to_somebody_who_is_no_longer_authorised(town: Town) -> None:
    ward = await Ward.built(town, 2)
    done = await ward.hands_over()
    ward.changes_account(ward.old, "unit_authorised", False)
    assert refusal(await ward.undoes(done)) == NOT_A_MEMBER
    assert ward.held(ward.heir) == 2


@pytest.mark.parametrize(
    "said",
    [
        {"digest": "0" * 63},
        {"digest": "G" * 64},
        {"digest": None},
        {"from": "钱示例"},
        {"to": "13800138000"},
        {"to_name": "钱示例"},
        {"digest": "0" * 64, "from_": str(uuid4())},
    ],
)
async def test_a_name_selects_nobody_and_the_malformed_is_not_repeated(
    town: Town, said: dict[str, Any]
) -> None:
    ward = await Ward.built(town)
    people = {"from": str(ward.old.account), "to": str(ward.heir.account)}
    body = {**people, "digest": "0" * 64, **said}
    answer = await ward.chief.asks("POST", "/v1/handovers", json=body)
    assert answer.status_code == 422
    assert "钱示例" not in answer.text
    assert "13800138000" not in answer.text
