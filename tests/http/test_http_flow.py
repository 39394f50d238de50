"""From the first save to the backup number over HTTP, and what can be read on the way."""

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx2
import psycopg
import pytest
from http_deployment import (
    EXAMPLES,
    INFORMATION,
    PROJECT,
    Deployment,
    complete_draft,
    keyed,
    number,
    open_draft,
    upload,
)

from api import commands
from rules.engine.release import Release

WITH_FAULTS = (EXAMPLES / "file-list-with-faults.csv").read_bytes()
IN_TRANSIT = (
    b"file_name,repository,accession,category,data_type,file_format,md5,deposit\n"
    b"disk.bam,gsa-human,,wgs,raw,bam,d41d8cd98f00b204e9800998ecf8427e,in_transit\n"
)


def test_three_steps_and_a_submission_give_a_backup_number(zhang: httpx2.Client) -> None:
    created = zhang.post("/v1/backups", json={"step": "project", "content": PROJECT}, headers=keyed())
    assert created.status_code == 201
    backup = created.json()["backup_id"]
    assert created.headers["Location"] == f"/v1/backups/{backup}"
    assert created.headers["ETag"] == '"1"'
    saved = zhang.put(
        f"/v1/backups/{backup}/steps/backup-information", json=INFORMATION, headers={"If-Match": '"0"'}
    )
    assert (saved.status_code, saved.json()["revision"], saved.headers["ETag"]) == (200, 1, '"1"')
    listed = upload(zhang, backup, (EXAMPLES / "file-list.csv").read_bytes())
    assert listed.status_code == 201
    assert listed.json()["manifest"]["rows"] > 0
    submitted = zhang.post(f"/v1/backups/{backup}/submission", headers=keyed())
    verdict = submitted.json()
    assert (submitted.status_code, verdict["verdict"], verdict["errors"]) == (200, "accepted", 0)

    shown = zhang.get(f"/v1/backups/{backup}").json()
    assert (shown["state"], shown["number"]) == ("numbered", verdict["number"])
    assert shown["number"].startswith("BF")
    assert shown["title"] == PROJECT["title"]
    assert (shown["judged_by"], shown["expires_at"]) == (verdict["judged_by"], None)
    assert shown["closed_at"] is not None
    assert [step["status"] for step in shown["steps"]] == ["saved"] * 3


def test_what_was_saved_is_read_back_personal_fields_included(zhang: httpx2.Client) -> None:
    backup = open_draft(zhang)
    step = zhang.get(f"/v1/backups/{backup}/steps/project")
    assert step.headers["ETag"] == '"1"'
    assert step.json()["content"] == PROJECT
    untouched = zhang.get(f"/v1/backups/{backup}/steps/data-files")
    assert untouched.headers["ETag"] == '"0"'
    assert (untouched.json()["status"], untouched.json()["manifest"]) == ("open", None)


def test_a_save_succeeds_whatever_the_form_says_and_only_the_submission_is_blocked(
    zhang: httpx2.Client,
) -> None:
    backup = open_draft(zhang, {"title": 7, "study_type": "no such type"})
    path = f"/v1/backups/{backup}/steps/project"
    assert {remark["pointer"] for remark in zhang.get(path).json()["remarks"]} >= {"/title", "/study_type"}
    rejected = zhang.post(f"/v1/backups/{backup}/submission", headers=keyed())
    assert (rejected.status_code, rejected.json()["verdict"]) == (200, "rejected")
    assert rejected.json()["errors"] > 0
    assert zhang.put(path, json=PROJECT, headers={"If-Match": '"1"'}).json()["findings"]["errors"] == 0
    assert zhang.get(f"/v1/backups/{backup}").json()["state"] == "draft"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_findings_are_paged_without_losing_or_repeating_one(zhang: httpx2.Client, size: int) -> None:
    backup = open_draft(zhang, {"title": 7})
    upload(zhang, backup, WITH_FAULTS)
    path = f"/v1/backups/{backup}/findings"
    whole = list(pages(zhang, path, "findings", {"page_size": 1000}))
    assert list(pages(zhang, path, "findings", {"page_size": size})) == whole
    counts = zhang.get(f"/v1/backups/{backup}").json()["findings"]
    assert sum(counts.values()) == len(whole)
    for severity, count in (("error", "errors"), ("warning", "warnings"), ("advice", "advice")):
        filtered = list(pages(zhang, path, "findings", {"page_size": size, "severity": severity}))
        assert filtered == [found for found in whole if found["severity"] == severity]
        assert len(filtered) == counts[count]
    of_step = list(pages(zhang, path, "findings", {"page_size": size, "step": "data-files"}))
    assert of_step == [found for found in whole if found["step"] == "data-files"]


def test_findings_say_where_and_why_in_the_language_of_the_request(deployment: Deployment) -> None:
    with deployment.account("li") as chinese, deployment.account("li", "en-GB,en;q=0.8") as english:
        backup = open_draft(chinese)
        upload(chinese, backup, WITH_FAULTS)
        path = f"/v1/backups/{backup}/findings?step=data-files"
        zh, en = (account.get(path).json()["findings"] for account in (chinese, english))
    assert [found["rule"] for found in zh] == [found["rule"] for found in en]
    for in_chinese, in_english in zip(zh, en, strict=True):
        assert in_chinese["message"] != in_english["message"]
        assert in_english["message"].isascii() or "“" in in_english["message"]
    assert any(found["line"] and found["column"] for found in zh)
    assert any(found["basis"] for found in zh)


def test_data_files_are_paged_in_the_order_of_the_file(zhang: httpx2.Client) -> None:
    backup = open_draft(zhang)
    rows = 25
    upload(zhang, backup, b"file_name\n" + b"".join(b"f%d.bam\n" % row for row in range(rows)))
    path = f"/v1/backups/{backup}/steps/data-files/data-files"
    found = list(pages(zhang, path, "data_files", {"page_size": 10}))
    assert [row["file_name"] for row in found] == [f"f{row}.bam" for row in range(rows)]
    assert [row["line"] for row in found] == list(range(2, rows + 2))
    assert zhang.get(f"/v1/backups/{backup}/steps/project/data-files").status_code == 409


def test_ones_backups_are_listed_newest_first_and_by_state(deployment: Deployment) -> None:
    with deployment.account("zhao") as account:
        drafts = [open_draft(account) for _ in range(3)]
        numbered = complete_draft(account)
        number(account, numbered)
        listed = [backup["id"] for backup in pages(account, "/v1/backups", "backups", {"page_size": 2})]
        assert listed[:4] == [numbered, *reversed(drafts)]
        only = list(pages(account, "/v1/backups", "backups", {"state": "numbered"}))
        assert [backup["id"] for backup in only] == [numbered]


def test_a_withdrawn_draft_stays_readable_and_takes_no_change(zhang: httpx2.Client) -> None:
    backup = open_draft(zhang)
    withdrawn = zhang.post(f"/v1/backups/{backup}/withdrawal", headers=keyed())
    assert (withdrawn.status_code, withdrawn.json()["state"]) == (200, "withdrawn")
    path = f"/v1/backups/{backup}/steps/project"
    assert zhang.get(path).json()["content"] == PROJECT
    refusals = [
        zhang.put(path, json={"title": "x"}, headers={"If-Match": '"1"'}),
        zhang.post(f"/v1/backups/{backup}/submission", headers=keyed()),
        zhang.post(f"/v1/backups/{backup}/withdrawal", headers=keyed()),
        zhang.post(f"/v1/backups/{backup}/deposit-checks", json={}, headers=keyed()),
        upload(zhang, backup, WITH_FAULTS),
    ]
    for refused in refusals:
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/backup_closed")
    assert zhang.get(path).json()["content"] == PROJECT


def test_a_draft_waits_for_a_deposit_and_says_whom_to_ask(zhang: httpx2.Client) -> None:
    backup = open_draft(zhang)
    saved = upload(zhang, backup, IN_TRANSIT).json()
    assert saved["manifest"]["in_transit"] == ["gsa-human"]
    shown = zhang.get(f"/v1/backups/{backup}").json()
    assert shown["state"] == "waiting_for_deposit"
    [waiting] = shown["waiting_for"]
    assert waiting["kind"] == "repository"
    assert "GSA-Human" in waiting["who"]
    assert "@" in waiting["contact"]["email"]
    assert waiting["since"] == saved["saved_at"]
    submitted = zhang.post(f"/v1/backups/{backup}/submission", headers=keyed()).json()
    assert (submitted["verdict"], len(submitted["waiting_for"])) == ("rejected", 1)
    operation = zhang.get(f"/v1/operations/{submitted['operation_id']}").json()
    assert (operation["state"], operation["waiting_for"]) == ("WAITING_EXTERNAL", [waiting])

    path = f"/v1/backups/{backup}/deposit-checks"
    asked = zhang.post(path, json={}, headers=keyed())
    assert (asked.status_code, asked.json()["state"]) == (
        200,
        "waiting_for_deposit",
    )  # nobody answers offline
    unknown = zhang.post(path, json={"attested": "13800138000"}, headers=keyed())
    assert unknown.status_code == 422
    assert unknown.json()["errors"][0]["pointer"] == "/attested"
    assert "13800138000" not in unknown.text
    attested = zhang.post(path, json={"attested": "gsa-human"}, headers=keyed())
    assert (attested.status_code, attested.json()["state"]) == (200, "draft")
    assert zhang.get(f"/v1/backups/{backup}").json()["waiting_for"] == []


def test_every_change_is_an_operation_that_can_be_asked_for(zhang: httpx2.Client) -> None:
    backup = open_draft(zhang, {"title": 7})
    saved = zhang.put(f"/v1/backups/{backup}/steps/project", json=PROJECT, headers={"If-Match": '"1"'}).json()
    operation = zhang.get(f"/v1/operations/{saved['operation_id']}").json()
    assert (operation["kind"], operation["state"], operation["case_id"]) == (
        "save_step",
        "SUCCEEDED",
        backup,
    )
    rejected = zhang.post(f"/v1/backups/{backup}/submission", headers=keyed()).json()
    operation = zhang.get(f"/v1/operations/{rejected['operation_id']}").json()
    assert (operation["kind"], operation["state"], operation["refused"]) == ("submit", "REJECTED", None)


def test_the_procedure_shows_steps_and_forms_in_both_languages(
    deployment: Deployment, zhang: httpx2.Client
) -> None:
    with deployment.visitor({"Accept-Language": "en"}) as visitor:
        in_english = visitor.get("/v1/procedures/backup-creation").json()
    in_chinese = zhang.get("/v1/procedures/backup-creation").json()
    assert [step["id"] for step in in_chinese["steps"]] == ["project", "backup-information", "data-files"]
    assert in_chinese["title"] == "新建备份"
    assert in_english["title"] == "backup creation"
    assert "title" in in_english["steps"][0]["form"]["properties"]


def test_a_sign_in_tells_what_the_account_may_do(deployment: Deployment) -> None:
    with deployment.account("wang", unit_authorised=False) as account:
        me = account.post("/v1/me/sign-ins", headers=keyed()).json()
        assert (me["name"], me["real_name_verified"], me["unit_authorised"]) == ("王示例", True, False)
        refused = account.get("/v1/backups")
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/unit_authorisation_missing")


def test_notices_are_the_accounts_own_and_paged(deployment: Deployment, zhang: httpx2.Client) -> None:
    backup = open_draft(zhang)
    with psycopg.connect(deployment.database_url) as connection:
        for day in range(3):
            connection.execute(
                "INSERT INTO notice (id, account_id, backup_id, kind, due_at, created_at) "
                "SELECT %s, delegate_id, id, 'draft_expires', '2026-12-31T17:00:00Z', %s FROM backup "
                "WHERE id = %s",
                [uuid.uuid4(), f"2026-11-0{day + 1}T00:00:00Z", backup],
            )
    notices = list(pages(zhang, "/v1/me/notices", "notices", {"page_size": 2}))
    told = [notice for notice in notices if notice["backup_id"] == backup]  # others may have told others
    assert [notice["created_at"][:10] for notice in told] == ["2026-11-03", "2026-11-02", "2026-11-01"]
    assert "2027-01-01" in told[0]["message"]  # the day in China
    with deployment.account("li", "en") as other:
        notices = list(pages(other, "/v1/me/notices", "notices", {"page_size": 2}))
        assert backup not in [notice["backup_id"] for notice in notices]


def test_a_numbered_backup_shows_the_release_that_judged_it_for_ever(
    deployment: Deployment, zhang: httpx2.Client, release: Release, new_release: Callable[[str, str], Release]
) -> None:
    numbered, draft = complete_draft(zhang), open_draft(zhang)
    number(zhang, numbered)
    paths = [
        f"/v1/backups/{numbered}{rest}" for rest in ("", "/findings", "/steps/project", "/steps/data-files")
    ]
    before = [zhang.get(path).json() for path in paths]
    later = new_release("2026.11.2", "项目情况")
    deployment.publish(later)
    assert [zhang.get(path).json() for path in paths] == before
    assert before[0]["judged_by"]["digest"] == release.digest
    shown = zhang.get(f"/v1/backups/{draft}").json()
    assert (shown["judged_by"]["version"], shown["steps"][0]["title"]) == ("2026.11.2", "项目情况")


def test_a_slow_submission_is_accepted_and_its_operation_tells_when_it_is_done(
    deployment: Deployment,
    zhang: httpx2.Client,
    new_release: Callable[[str, str], Release],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commands, "DONE", timedelta(seconds=0.5))
    backup, headers = complete_draft(zhang), keyed()
    deployment.publish(new_release("2026.11.3", "项目信息"))  # its list has to be judged anew
    with psycopg.connect(deployment.database_url) as connection:
        connection.execute("LOCK TABLE manifest_finding IN EXCLUSIVE MODE")
        accepted = zhang.post(f"/v1/backups/{backup}/submission", headers=headers)
        location = accepted.headers["Location"]
        assert (accepted.status_code, int(accepted.headers["Retry-After"]) > 0) == (202, True)
        assert location == f"/v1/operations/{accepted.json()['id']}"
        running = zhang.get(location).json()
        assert (running["state"], running["waiting_for"][0]["kind"]) == ("RUNNING", "platform")
        assert running == accepted.json()
    done = eventually(lambda: zhang.get(location).json(), lambda answer: answer["state"] != "RUNNING")
    assert (done["state"], done["waiting_for"]) == ("SUCCEEDED", [])
    repeated = zhang.post(f"/v1/backups/{backup}/submission", headers=headers)
    assert (repeated.status_code, repeated.json()["verdict"]) == (200, "accepted")
    assert repeated.headers["Idempotency-Replayed"] == "true"


def test_without_a_worker_the_same_key_succeeds_once_one_runs(
    deployment: Deployment, zhang: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "TAKEN", timedelta(seconds=0.5))
    draft = complete_draft(zhang)
    body, creation, submission = {"step": "project", "content": PROJECT}, keyed(), keyed()
    before = len(list(pages(zhang, "/v1/backups", "backups", {"page_size": 1000})))
    deployment.stop_worker()
    try:
        for refused in (
            zhang.post("/v1/backups", json=body, headers=creation),
            zhang.post(f"/v1/backups/{draft}/submission", headers=submission),
        ):
            assert (refused.status_code, refused.json()["type"]) == (503, "/problems/waiting_for_platform")
            assert refused.json()["retryable"] is True
            assert int(refused.headers["Retry-After"]) > 0
        assert zhang.get(f"/v1/backups/{draft}").json()["state"] == "draft"
    finally:
        deployment.start_worker()
    monkeypatch.undo()
    created = zhang.post("/v1/backups", json=body, headers=creation)
    assert created.status_code == 201
    assert zhang.post(f"/v1/backups/{draft}/submission", headers=submission).json()["verdict"] == "accepted"
    assert len(list(pages(zhang, "/v1/backups", "backups", {"page_size": 1000}))) == before + 1


def test_the_service_says_that_it_works(deployment: Deployment) -> None:
    with deployment.visitor() as visitor:
        assert visitor.get("/livez").json() == {"status": "alive"}
        assert visitor.get("/readyz").json()["status"] == "ready"
        assert visitor.get("/service-info").json()["type"]["artifact"] == "hgrip"


def pages(account: httpx2.Client, path: str, member: str, query: dict[str, Any]) -> Iterator[Any]:
    """Every item of a list, page by page."""
    token = None
    while True:
        answer = account.get(path, params=query | ({"page_token": token} if token else {}))
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page[member]) <= query.get("page_size", 50)
        yield from page[member]
        token = page["pagination"]["next_page_token"]
        if token is None:
            return


def eventually(
    look: Callable[[], dict[str, object]], done: Callable[[dict[str, object]], bool]
) -> dict[str, object]:
    """What is seen once it is as wanted."""
    deadline = time.monotonic() + 30
    while not done(seen := look()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)
    return seen
