"""Numbered backups are withdrawn by their delegates, unless a prior report has used them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import httpx2
from amending import REASON, problem, shown, withdraw
from eligibility_desk import Desk, now
from http_deployment import complete_draft, keyed
from http_deployment import number as numbered

Numbered = tuple[str, str]


def test_what_is_withdrawn_keeps_its_number_and_is_used_no_more(
    desk: Desk, zhang: httpx2.Client, backup: Numbered
) -> None:
    id_, number = backup
    assert shown(zhang, id_, "/versions")["withdrawal"] is None
    done = withdraw(zhang, id_)
    assert (done.status_code, done.json()["number"]) == (200, number)
    said = shown(zhang, id_)
    assert (said["state"], said["number"]) == ("withdrawn", number)
    assert all(step["status"] == "saved" for step in said["steps"])
    with desk.account("chen") as administrator:
        told = shown(administrator, id_, "/versions")
    assert told["withdrawal"] == done.json()
    assert (told["withdrawal"]["reason"], len(told["versions"])) == (REASON, 1)
    [(at, reason)] = desk.query("SELECT done_at, reason FROM amendment WHERE backup_id = %s", id_)
    assert "周示例".encode() not in bytes(reason)
    assert desk.fails("zhang", number, at) == ["not_withdrawn"]
    assert desk.fails("zhang", number, at - timedelta(microseconds=1)) == []
    assert problem(zhang.get(f"/v1/backups/{id_}/certificate")) == (409, "number_withdrawn")


def test_a_repeated_request_is_answered_as_the_first_and_another_is_refused(
    zhang: httpx2.Client, backup: Numbered
) -> None:
    id_, _ = backup
    key = str(uuid4())
    first, again = withdraw(zhang, id_, key), withdraw(zhang, id_, key)
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")
    assert problem(withdraw(zhang, id_)) == (409, "number_withdrawn")


def test_many_at_once_withdraw_it_once(desk: Desk, zhang: httpx2.Client, backup: Numbered) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: withdraw(zhang, backup[0]).status_code, range(6)))
    assert sorted(answers) == [200, *[409] * 5]
    done = "SELECT count(*) FROM amendment WHERE backup_id = %s AND done_at IS NOT NULL"
    assert desk.query(done, backup[0]) == [(1,)]


def test_what_a_prior_report_has_used_is_not_withdrawn(
    desk: Desk, zhang: httpx2.Client, backup: Numbered
) -> None:
    id_, number = backup
    body = {**desk.question("zhang", number), "report_id": "R-used", "used_at": now().isoformat()}
    assert desk.service.post("/v1/prior-reports", json=body).status_code == 201
    assert problem(withdraw(zhang, id_)) == (409, "used_in_prior_report")
    assert shown(zhang, id_)["state"] == "numbered"
    assert shown(zhang, id_, "/versions")["withdrawal"] is None
    assert desk.fails("zhang", number) == []


def test_a_report_and_a_withdrawal_at_once_do_not_both_stand(desk: Desk, zhang: httpx2.Client) -> None:
    for attempt in range(6):
        id_ = complete_draft(zhang)
        number = numbered(zhang, id_)
        body = {**desk.question("zhang", number), "report_id": f"R-race-{attempt}"}
        body["used_at"] = now().isoformat()
        with ThreadPoolExecutor(2) as pool:
            telling = pool.submit(desk.service.post, "/v1/prior-reports", json=body)
            withdrawing = pool.submit(withdraw, zhang, id_)
            told, done = telling.result(), withdrawing.result()
        if done.status_code == 409:
            assert (told.status_code, problem(done)[1]) == (201, "used_in_prior_report")
        else:  # a use from before it was withdrawn may still be told afterwards
            assert (told.status_code, done.status_code) == (201, 200)
            assert told.json()["used_at"] < done.json()["withdrawn_at"] <= told.json()["recorded_at"]


def test_a_use_after_the_withdrawal_is_not_recorded(
    desk: Desk, zhang: httpx2.Client, backup: Numbered
) -> None:
    id_, number = backup
    assert withdraw(zhang, id_).status_code == 200
    body = {**desk.question("zhang", number), "report_id": "R-late", "used_at": now().isoformat()}
    assert problem(desk.service.post("/v1/prior-reports", json=body)) == (409, "not_eligible")


def test_only_its_authorised_delegate_withdraws_it(
    desk: Desk, zhang: httpx2.Client, backup: Numbered
) -> None:
    id_, _ = backup
    with desk.account("li") as li, desk.account("chen") as administrator:
        assert withdraw(li, id_).status_code == 404
        assert problem(withdraw(administrator, id_)) == (403, "not_allowed")
    assert problem(withdraw(zhang, complete_draft(zhang))) == (409, "not_numbered")
    empty = zhang.post(f"/v1/backups/{id_}/number-withdrawal", json={"reason": ""}, headers=keyed())
    assert empty.status_code == 422
    with desk.account("zhang", unit="institute") as moved:
        moved.get("/v1/backups")
        assert problem(withdraw(moved, id_)) == (403, "not_allowed")
    zhang.post("/v1/me/sign-ins", headers=keyed())
    assert shown(zhang, id_)["state"] == "numbered"
