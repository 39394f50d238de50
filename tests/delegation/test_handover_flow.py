"""A handover step by step, over the API on the real servers: preview, confirmation, drafts, undoing."""

from datetime import timedelta
from uuid import UUID

from claims_town import ADMINISTRATOR, Town, refusal
from handover_ward import GAPS, PROJECT, Ward
from temporalio.testing import TimeSkipper


async def test_what_was_shown_is_handed_over_whole(town: Town) -> None:
    ward = await Ward.built(town, 7)
    draft = await ward.drafts(ward.old)
    shown = await ward.previewed()
    assert (shown["backups"], shown["states"]) == (8, {"draft": 1, "numbered": 7})
    assert len(shown["first"]) == 8
    assert shown["first"][0]["id"] == draft.rpartition("/")[2], "the newest first"
    assert (shown["staying"], shown["consents"]) == ([], [])
    assert shown["from"]["account_id"] == str(ward.old.account)
    assert shown["to"]["phone"].startswith("+86154****")
    answer = await ward.confirms(shown["digest"])
    done = answer.json()
    assert (answer.status_code, done["state"], done["moved"], done["backups"]) == (201, "moved", 8, 8)
    assert answer.headers["Location"] == f"/v1/handovers/{done['id']}"
    assert (ward.held(ward.old), ward.held(ward.heir)) == (0, 8)
    assert town.value("SELECT count(*) FROM backup WHERE creator_id = :id", id=ward.old.account) == 8
    assert town.value(GAPS) == 0
    assert await ward.told(ward.old) == ["handover_given"]
    assert await ward.told(ward.heir) == ["handover_received"]
    assert await ward.told(ward.second) == []


async def test_a_draft_goes_on_under_the_new_delegate_without_losing_a_keystroke(town: Town) -> None:
    ward = await Ward.built(town)
    draft = await ward.drafts(ward.old)
    before = (await ward.old.asks("GET", f"{draft}/steps/project")).json()
    await ward.hands_over()
    step = await ward.heir.asks("GET", f"{draft}/steps/project")
    assert step.json()["content"] == before["content"] == PROJECT
    headers = {"If-Match": step.headers["ETag"], "Content-Type": "application/json"}
    body = {**PROJECT, "title": "接手之后"}
    path = f"{draft}/steps/project"
    refused = await ward.old.http.put(path, json=body, headers=headers)
    assert refusal(refused) == (404, "not_found"), "it is another's now"
    saved = await ward.heir.http.put(path, json=body, headers=headers)
    assert (saved.status_code, saved.json()["revision"]) == (200, 2)
    assert (await ward.heir.asks("POST", f"{draft}/withdrawal")).status_code == 200
    assert draft.rpartition("/")[2] in [
        each["id"] for each in (await ward.heir.gets("/v1/backups"))["backups"]
    ]
    assert (await ward.old.gets("/v1/backups"))["backups"] == []


async def test_reminders_of_a_draft_go_to_the_new_delegate(town: Town, time_skipper: TimeSkipper) -> None:
    ward = await Ward.built(town)
    draft = await ward.drafts(ward.old)
    await ward.hands_over()
    handle = town.client.get_workflow_handle(f"backup-{draft.rpartition('/')[2]}")
    await time_skipper.fast_forward(handle, timedelta(days=151))
    reminded = "SELECT count(*) > 0 FROM notice WHERE kind = 'draft_expires' AND account_id = :id"
    await town.comes_true(reminded, id=ward.heir.account)
    assert not town.value(reminded, id=ward.old.account)


async def test_everybody_sees_who_held_a_backup_and_how_it_came_to_them(town: Town) -> None:
    ward = await Ward.built(town)
    legacy = town.registrant(ward.unit, 1)
    await ward.old.claims_and_proves(legacy)
    draft = await ward.drafts(ward.old)
    await ward.hands_over()
    backup = town.value("SELECT id FROM backup WHERE registrant_id = :id", id=legacy.id)
    claimed = (await ward.heir.gets(f"/v1/backups/{backup}/delegations"))["delegations"]
    assert [each["by"] for each in claimed] == ["claim", "handover"]
    for viewer in (ward.heir, ward.chief):
        first, second = (await viewer.gets(f"{draft}/delegations"))["delegations"]
        assert (first["by"], second["by"]) == ("creation", "handover")
        assert (first["name"], second["name"]) == ("钱**", "钱**")
        assert first["until"] == second["since"]
        assert second["until"] is None
    for stranger in (ward.old, await town.person(town.unit(), ADMINISTRATOR)):
        assert refusal(await stranger.asks("GET", f"{draft}/delegations")) == (404, "not_found")


async def test_people_of_other_units_have_no_name_in_the_history(town: Town) -> None:
    ward = await Ward.built(town)
    draft = await ward.drafts(ward.old)
    backup = UUID(draft.rpartition("/")[2])
    with town.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE delegation SET unit_code = '12990000EX00000106' WHERE backup_id = %s", (backup,)
        )
    [only] = (await ward.old.gets(f"{draft}/delegations"))["delegations"]
    assert only["name"] is None


async def test_handovers_are_listed_for_the_unit_and_for_whom_they_concern(town: Town) -> None:
    ward = await Ward.built(town, 1)
    done = await ward.hands_over()
    for viewer in (ward.chief, ward.second, ward.old, ward.heir):
        [listed] = (await viewer.gets("/v1/handovers"))["handovers"]
        assert listed == await viewer.gets(f"/v1/handovers/{done['id']}")
        assert (listed["from"], listed["to"]) == (str(ward.old.account), str(ward.heir.account))
    for stranger in (await town.person(ward.unit), await town.person(town.unit(), ADMINISTRATOR)):
        assert (await stranger.gets("/v1/handovers"))["handovers"] == []
        assert refusal(await stranger.asks("GET", f"/v1/handovers/{done['id']}")) == (404, "not_found")


async def test_the_same_request_again_finds_the_same_handover(town: Town) -> None:
    ward = await Ward.built(town, 2)
    digest, key = (await ward.previewed())["digest"], "0d9c1f0e-8a0e-4b61-9d55-3f7a2f3d5a10"
    first = await ward.confirms(digest, key=key)
    again = await ward.confirms(digest, key=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.status_code, again.json()) == (201, first.json())
    assert refusal(await ward.confirms("0" * 64, key=key)) == (422, "idempotency_key_reused")


async def test_namesakes_are_told_apart_by_masked_phones(town: Town) -> None:
    ward = await Ward.built(town, 1)
    heir, other = [await town.person(ward.unit, name="欧阳示例") for _ in range(2)]
    await town.person(town.unit(), name="欧阳示例")
    shown = await ward.previewed(heir)
    assert [each["account_id"] for each in shown["namesakes"]] == [str(other.account)]
    assert shown["to"]["phone"] != shown["namesakes"][0]["phone"]


async def test_somebody_who_has_left_the_unit_is_relieved_of_its_backups_alone(town: Town) -> None:
    ward = await Ward.built(town, 3)
    elsewhere = await Ward.built(town)
    await town.signs_in_as(ward.old, unit=elsewhere.unit)
    elsewhere.gives(ward.old, 2)
    shown = await ward.previewed()
    assert (shown["backups"], shown["staying"][0]["backups"]) == (3, 2)
    assert "其他单位" in shown["staying"][0]["message"]
    await ward.hands_over()
    assert (ward.held(ward.heir), elsewhere.held(ward.old)) == (3, 2)


# --- undoing ---------------------------------------------------------------------------------------


async def test_an_undone_handover_gives_everything_back_and_can_be_made_again(town: Town) -> None:
    ward = await Ward.built(town, 4)
    ward.gives(ward.heir, 2)
    done = await ward.hands_over()
    answer = await ward.undoes(done, ward.second)
    back = answer.json()
    assert (answer.status_code, back["state"], back["moved"], back["gone_on"]) == (201, "moved", 4, 0)
    assert (back["undoes"], back["from"], back["to"]) == (done["id"], done["to"], done["from"])
    assert (await ward.chief.gets(f"/v1/handovers/{done['id']}"))["undone_by"] == back["id"]
    assert (ward.held(ward.old), ward.held(ward.heir)) == (4, 2)
    assert refusal(await ward.undoes(done)) == (409, "nothing_to_hand_over"), "it has been undone"
    again = await ward.hands_over()
    assert (again["moved"], town.value(GAPS)) == (4, 0)


async def test_undoing_leaves_what_has_gone_on_and_tells_how_much(town: Town) -> None:
    ward = await Ward.built(town, 5)
    done = await ward.hands_over()
    with town.engine.begin() as connection:  # two of them are handed on one by one, as no handover does
        two = "SELECT id FROM backup WHERE delegate_id = %s LIMIT 2"
        ids = connection.exec_driver_sql(two, (ward.heir.account,)).scalars().all()
        facts = (ward.second.account, list(ids))
        connection.exec_driver_sql("UPDATE backup SET delegate_id = %s WHERE id = ANY(%s)", facts)
        connection.exec_driver_sql(
            "UPDATE delegation SET until = now() WHERE until IS NULL AND backup_id = ANY(%s)", (list(ids),)
        )
        connection.exec_driver_sql(
            "INSERT INTO delegation (backup_id, since, delegate_id, unit_code, operation_id)"
            " SELECT id, now(), delegate_id, unit_code, gen_random_uuid() FROM backup WHERE id = ANY(%s)",
            (list(ids),),
        )
    back = (await ward.undoes(done)).json()
    assert (back["state"], back["moved"], back["gone_on"]) == ("moved", 3, 2)
    assert "2 个已转给他人" in back["message"]
    assert set(back["gone_on_first"]) == {str(id_) for id_ in ids}
    assert (ward.held(ward.old), ward.held(ward.heir), ward.held(ward.second)) == (3, 0, 2)


async def test_what_the_heir_has_begun_since_stays_with_the_heir(town: Town) -> None:
    ward = await Ward.built(town, 2)
    done = await ward.hands_over()
    await ward.drafts(ward.heir)
    assert (await ward.undoes(done)).json()["moved"] == 2
    assert (ward.held(ward.old), ward.held(ward.heir)) == (2, 1)


async def test_after_seven_days_it_stays(town: Town) -> None:
    ward = await Ward.built(town, 2)
    done = await ward.hands_over()
    row = ward.row(done)
    assert row["undo_until"] - row["closed_at"] == timedelta(days=7)
    with town.engine.begin() as connection:
        over = "UPDATE handover SET undo_until = now() WHERE id = %s"
        connection.exec_driver_sql(over, (done["id"],))
    assert refusal(await ward.undoes(done)) == (409, "handover_closed")
    assert ward.held(ward.heir) == 2


async def test_an_undoing_can_be_undone(town: Town) -> None:
    ward = await Ward.built(town, 2)
    back = (await ward.undoes(await ward.hands_over())).json()
    assert (await ward.undoes(back)).json()["state"] == "moved"
    assert ward.held(ward.heir) == 2
