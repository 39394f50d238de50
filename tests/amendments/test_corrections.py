"""Corrections of numbered backups: the next version under the same number, the one before still there."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx2
from amending import correct, opened, problem, save, shown, submitted, title, versions, withdraw
from eligibility_desk import Desk, now
from http_deployment import EXAMPLES, INFORMATION, PROJECT, complete_draft, keyed, number, upload

CORRECTED = PROJECT | {"title": "更正后的题目"}
Numbered = tuple[str, str]


def test_a_sealed_correction_is_the_next_version_under_the_same_number(
    desk: Desk, zhang: httpx2.Client, backup: Numbered
) -> None:
    id_, number = backup
    given_out = desk.query("SELECT sum(last) FROM number_serial")
    numbered_at = shown(zhang, id_)["closed_at"]
    draft = opened(zhang, id_)
    before = shown(zhang, draft)
    assert (before["state"], before["number"], before["corrects_id"]) == ("draft", None, id_)
    assert [step["status"] for step in before["steps"]] == ["saved"] * 3
    assert save(zhang, draft, "project", CORRECTED, 1).status_code == 200
    assert title(zhang, id_) == PROJECT["title"], "until it is sealed the backup is what it was"
    verdict = submitted(zhang, draft)
    assert (verdict["verdict"], verdict["number"]) == ("accepted", number)
    new, old = shown(zhang, id_), shown(zhang, draft)
    assert (new["state"], new["number"], new["version"], new["closed_at"]) == (
        "numbered", number, 2, numbered_at
    )  # fmt: skip
    assert (old["state"], old["number"], old["version"]) == ("superseded", None, 1)
    assert (title(zhang, id_), title(zhang, draft)) == (CORRECTED["title"], PROJECT["title"])
    made = versions(zhang, id_)
    assert [(each["version"], each["backup_id"]) for each in made] == [(2, id_), (1, draft)]
    assert [each["reason"] for each in made] == ["补录周示例的样本", None]
    assert made[0]["sealed_at"] > made[1]["sealed_at"] == numbered_at
    assert desk.query("SELECT sum(last) FROM number_serial") == given_out
    assert desk.fails("zhang", number) == []
    [(reason,)] = desk.query("SELECT reason FROM amendment WHERE backup_id = %s", id_)
    assert "周示例".encode() not in bytes(reason)


def test_each_version_is_shown_with_the_release_that_judged_it(
    desk: Desk, zhang: httpx2.Client, backup: Numbered
) -> None:
    id_, _ = backup
    [first] = versions(zhang, id_)
    draft = opened(zhang, id_)
    desk.restore(desk.rules)
    assert submitted(zhang, draft)["verdict"] == "accepted"
    made = versions(zhang, id_)
    assert made[0]["release"]["version"] > first["release"]["version"]
    assert made[1]["release"] == first["release"]
    for each in made:
        assert shown(zhang, each["backup_id"])["judged_by"] == each["release"]


def test_every_past_version_is_judged_for_its_own_time(
    desk: Desk, zhang: httpx2.Client, backup: Numbered
) -> None:
    id_, number = backup
    instants = [now()]
    for revision, review in enumerate(("AQSC-2026-0001", None), start=1):
        draft = opened(zhang, id_)
        form = INFORMATION | ({"security_review_number": review} if review else {})
        assert save(zhang, draft, "backup-information", form, revision).status_code == 200
        assert submitted(zhang, draft)["verdict"] == "accepted"
        instants.append(now())
    assert shown(zhang, id_)["version"] == 3
    assert [each["version"] for each in versions(zhang, id_)] == [3, 2, 1]
    missing = [bool(desk.check("zhang", number, at)["reasons"]) for at in instants]
    assert missing == [True, False, True]


def test_a_new_list_goes_to_the_backup_and_the_old_one_to_the_version_before(
    zhang: httpx2.Client, backup: Numbered
) -> None:
    id_, _ = backup
    lines = (EXAMPLES / "file-list.csv").read_bytes().splitlines(keepends=True)
    whole = shown(zhang, id_, "/steps/data-files")
    draft = opened(zhang, id_)
    assert upload(zhang, draft, b"".join(lines[:-1]), revision=whole["revision"]).status_code == 201
    assert submitted(zhang, draft)["verdict"] == "accepted"
    new, old = (shown(zhang, each, "/steps/data-files") for each in (id_, draft))
    assert new["manifest"]["rows"] == whole["manifest"]["rows"] - 1
    assert new["revision"] == whole["revision"] + 1, "no two contents of a step have one revision"
    assert (old["manifest"], old["revision"]) == (whole["manifest"], whole["revision"])


def test_a_rejected_correction_changes_nothing_and_goes_on(zhang: httpx2.Client, backup: Numbered) -> None:
    id_, number = backup
    draft = opened(zhang, id_)
    assert save(zhang, draft, "project", {"title": "只有题目"}, 1).status_code == 200
    assert submitted(zhang, draft)["verdict"] == "rejected"
    assert (title(zhang, id_), shown(zhang, id_)["version"]) == (PROJECT["title"], 1)
    stale = save(zhang, draft, "project", PROJECT, 1)
    assert problem(stale) == (412, "stale_revision")
    assert stale.json()["current"]["revision"] == 2
    assert save(zhang, draft, "project", PROJECT, 2).status_code == 200
    assert submitted(zhang, draft)["number"] == number


def test_a_correction_still_waits_for_the_deposits_that_its_list_names(
    zhang: httpx2.Client, backup: Numbered
) -> None:
    id_, number = backup
    draft = opened(zhang, id_)
    listed = (EXAMPLES / "file-list.csv").read_bytes().replace(b",deposited", b",in_transit", 1)
    assert upload(zhang, draft, listed, revision=1).status_code == 201
    assert shown(zhang, draft)["state"] == "waiting_for_deposit"
    assert problem(correct(zhang, id_)) == (409, "correction_open")
    assert submitted(zhang, draft)["verdict"] == "rejected"
    heard = zhang.post(f"/v1/backups/{draft}/deposit-checks", json={"attested": "gsa-human"}, headers=keyed())
    assert heard.json()["state"] == "draft"
    assert submitted(zhang, draft)["number"] == number
    again = opened(zhang, id_)
    assert shown(zhang, again)["state"] == "draft", "what has arrived has arrived for the next one as well"


def test_there_is_one_correction_at_a_time_and_a_repeated_request_is_the_same(
    zhang: httpx2.Client, backup: Numbered
) -> None:
    id_, _ = backup
    key = str(uuid4())
    first, again = correct(zhang, id_, key), correct(zhang, id_, key)
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")
    assert problem(correct(zhang, id_)) == (409, "correction_open")
    draft = first.json()["backup_id"]
    reused = zhang.post(f"/v1/backups/{id_}/corrections", json={"reason": "另一理由"}, headers=keyed(key))
    assert problem(reused) == (422, "idempotency_key_reused")
    assert zhang.post(f"/v1/backups/{draft}/withdrawal", headers=keyed()).json()["state"] == "withdrawn"
    assert opened(zhang, id_) != draft
    assert shown(zhang, id_)["version"] == 1


def test_many_at_once_open_one_correction_and_make_one_version(
    zhang: httpx2.Client, backup: Numbered
) -> None:
    id_, number = backup
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: correct(zhang, id_), range(6)))
        assert sorted(answer.status_code for answer in answers) == [201, *[409] * 5]
        [draft] = [each.json()["backup_id"] for each in answers if each.status_code == 201]
        verdicts = list(pool.map(lambda _: submitted(zhang, draft).get("number"), range(6)))
    assert sorted(verdicts, key=str) == [number, *[None] * 5]
    assert [each["version"] for each in versions(zhang, id_)] == [2, 1]


def test_what_is_withdrawn_or_no_number_or_not_ones_own_is_not_corrected(
    desk: Desk, zhang: httpx2.Client, backup: Numbered
) -> None:
    id_, _ = backup
    draft = opened(zhang, id_)
    with desk.account("li") as li, desk.account("chen") as administrator:
        assert correct(li, id_).status_code == 404
        assert problem(correct(administrator, id_)) == (403, "not_allowed")
    assert problem(correct(zhang, draft)) == (409, "not_numbered")
    assert withdraw(zhang, id_).status_code == 200
    answer = zhang.post(f"/v1/backups/{draft}/submission", headers=keyed())
    assert problem(answer) == (409, "number_withdrawn")
    assert shown(zhang, draft)["state"] == "draft"
    assert problem(correct(zhang, id_)) == (409, "number_withdrawn")


def test_a_former_version_is_there_to_be_looked_at_only(zhang: httpx2.Client, backup: Numbered) -> None:
    id_, number = backup
    former = opened(zhang, id_)
    assert submitted(zhang, former)["number"] == number
    for answer in (correct(zhang, former), withdraw(zhang, former)):
        assert problem(answer) == (409, "version_superseded")
    assert problem(save(zhang, former, "project", PROJECT, 1)) == (409, "backup_closed")
    assert problem(zhang.get(f"/v1/backups/{former}/certificate")) == (409, "version_superseded")
    [held] = shown(zhang, former, "/delegations")["delegations"]
    assert (held["by"], held["until"]) == ("correction", None)


def test_a_correction_whose_backup_has_another_delegate_by_now_is_not_sealed(
    desk: Desk, zhang: httpx2.Client, backup: Numbered
) -> None:
    """Undoing a handover takes the backup back, and not the draft that was begun after it."""
    id_, _ = backup
    names = {"from": str(desk.account_id("zhang")), "to": str(desk.account_id("li"))}
    with desk.account("chen") as chen, desk.account("li") as li:
        li.get("/v1/backups")
        preview = chen.post("/v1/handovers/previews", json=names, headers=keyed()).json()
        said = names | {"digest": preview["digest"]}
        moved = chen.post("/v1/handovers", json=said, headers=keyed()).json()
        assert moved["state"] == "moved"
        draft = opened(li, id_)
        undone = chen.post(f"/v1/handovers/{moved['id']}/reversals", headers=keyed())
        assert undone.json()["state"] == "moved"
        answer = li.post(f"/v1/backups/{draft}/submission", headers=keyed())
    assert problem(answer) == (403, "not_allowed")
    assert shown(zhang, id_)["version"] == 1


def test_the_unit_sees_versions_and_withdrawn_numbers_in_its_lists(
    desk: Desk, zhang: httpx2.Client, backup: Numbered
) -> None:
    id_, number = backup
    former = opened(zhang, id_)
    assert submitted(zhang, former)["number"] == number
    assert withdraw(zhang, id_).status_code == 200
    with desk.account("chen") as chen:
        found = chen.post("/v1/unit/backup-searches", json={"number": number}).json()["backups"]
        assert [(each["id"], each["state"], each["version"]) for each in found] == [(id_, "withdrawn", 2)]
        listed = chen.get("/v1/unit/backups", params={"state": "superseded"}).json()["backups"]
        assert [each["corrects_id"] for each in listed if each["id"] == former] == [id_]
        exported = chen.get("/v1/unit/backups/export", params={"state": "withdrawn"}).text.splitlines()
        [line] = [each for each in exported if number in each]
        assert line.endswith(',"2"'), "the version comes last"
        people = chen.get("/v1/unit/people").json()["people"]
        [counts] = [each for each in people if each["account_id"] == str(desk.account_id("zhang"))]
    held = desk.query("SELECT count(*) FROM backup WHERE delegate_id = %s", desk.account_id("zhang"))
    assert (counts["drafts"] + counts["numbered"] + counts["closed"],) == held[0]


def test_of_a_legacy_backup_there_is_nothing_to_correct(desk: Desk, zhang: httpx2.Client) -> None:
    zhang.get("/v1/backups")
    [(id_,)] = desk.query(
        "WITH registrant AS (INSERT INTO legacy_registrant (id, name, phone, person_index)"
        " VALUES (gen_random_uuid(), '', '', '') RETURNING id), made AS (INSERT INTO backup"
        " (id, state, number, registrant_id, delegate_id, unit_code, created_at, saved_at)"
        " SELECT gen_random_uuid(), 'numbered', gen_random_uuid(), registrant.id, account.id, unit_code,"
        " now(), now() FROM registrant, account WHERE account.id = %s RETURNING *)"
        " INSERT INTO delegation (backup_id, since, delegate_id, unit_code, operation_id)"
        " SELECT id, now(), delegate_id, unit_code, gen_random_uuid() FROM made RETURNING backup_id",
        desk.account_id("zhang"),
    )
    assert problem(correct(zhang, str(id_))) == (409, "nothing_to_correct")
    [only] = versions(zhang, str(id_))
    assert (only["version"], only["release"], only["reason"]) == (1, None, None)


def test_a_correction_sealed_during_a_handover_is_sealed_or_refused_and_all_backups_move(
    desk: Desk, zhang: httpx2.Client
) -> None:
    names = {"from": str(desk.account_id("zhang")), "to": str(desk.account_id("li"))}
    with desk.account("chen") as chen, desk.account("li") as li, ThreadPoolExecutor(2) as pool:
        li.get("/v1/backups")
        for _ in range(4):
            id_ = complete_draft(zhang)
            given = number(zhang, id_)
            draft = opened(zhang, id_)
            preview = chen.post("/v1/handovers/previews", json=names, headers=keyed()).json()
            said = names | {"digest": preview["digest"]}
            moving = pool.submit(chen.post, "/v1/handovers", json=said, headers=keyed())
            sealing = pool.submit(zhang.post, f"/v1/backups/{draft}/submission", headers=keyed())
            moved, sealed = moving.result().json(), sealing.result()
            assert (moved["state"], moved["moved"]) == ("moved", preview["backups"])
            if sealed.status_code == 200:
                assert sealed.json()["number"] == given
            else:
                assert problem(sealed) in ((403, "not_allowed"), (404, "not_found"))
            assert shown(li, id_)["version"] == (2 if sealed.status_code == 200 else 1)
            undone = chen.post(f"/v1/handovers/{moved['id']}/reversals", headers=keyed()).json()
            assert (undone["state"], undone["moved"]) == ("moved", preview["backups"])
