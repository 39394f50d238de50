"""What operators do with a case, on the real servers: done once, told in the trail, or refused clearly."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from backup_desk import Repositories
from http_deployment import INFORMATION, PROJECT, complete_draft, keyed, number
from operators_room import Station

from schemas.stuck import ACTIONS, DANGEROUS


def saves(station: Station, backup: str, revision: int = 0) -> httpx2.Response:
    path = f"/v1/backups/{backup}/steps/backup-information"
    return station.person.put(path, json=INFORMATION, headers={"If-Match": f'"{revision}"'})


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


def counts(station: Station, backup: str) -> list[tuple[Any, ...]]:
    return station.deployment.query("SELECT count(*) FROM operator_action WHERE case_id = %s", backup)


def test_a_paused_case_answers_that_it_is_paused_and_goes_on_when_it_is_resumed(station: Station) -> None:
    backup = station.draft()
    assert station.acts(backup, "pause").json()["workflow"] == "paused"
    refused = saves(station, backup)
    assert code(refused) == (423, "case_paused")
    assert (refused.json()["retryable"], refused.headers["Retry-After"]) == (True, "5")
    submitted = station.person.post(f"/v1/backups/{backup}/submission", headers=keyed())
    assert code(submitted) == (423, "case_paused")
    assert code(station.acts(backup, "pause")) == (409, "nothing_to_do")
    assert station.acts(backup, "resume").json()["workflow"] == "running"
    assert saves(station, backup).status_code == 200
    assert code(station.acts(backup, "resume")) == (409, "nothing_to_do")


def test_a_case_is_reset_to_the_end_of_a_workflow_task_and_loses_nothing(station: Station) -> None:
    backup = station.draft()
    assert saves(station, backup).status_code == 200
    points = [point["event_id"] for point in station.case(backup)["reset_points"]]
    wrong = station.acts(backup, "reset", event_id=points[0] + 1, confirmed=True)
    assert code(wrong) == (422, "wrong_reset_point")
    assert str(points[0]) in wrong.json()["detail"]
    before = station.person.get(f"/v1/backups/{backup}").json()
    assert station.acts(backup, "reset", event_id=points[-1], confirmed=True).status_code == 200
    assert saves(station, backup, revision=1).status_code == 200
    assert station.person.get(f"/v1/backups/{backup}").json()["id"] == before["id"]
    assert station.person.get(f"/v1/backups/{backup}/steps/project").json()["content"] == PROJECT


def test_a_waiting_deposit_is_taken_for_arrived_on_an_operator_s_word(
    station: Station, repositories: Repositories
) -> None:
    backup = station.waiting_draft()
    assert station.acts(backup, "retry").status_code == 200
    assert "gvm" in repositories.asked
    assert station.case(backup)["state"] == "waiting_for_deposit"
    assert code(station.acts(backup, "skip")) == (422, "confirmation_missing")
    assert station.acts(backup, "skip", confirmed=True).json()["state"] == "draft"
    found = station.deployment.query("SELECT result, source FROM deposit_check WHERE backup_id = %s", backup)
    assert found == [("attested", "operator")]
    assert code(station.acts(backup, "skip", confirmed=True)) == (409, "nothing_to_do")


def test_a_waiting_draft_is_returned_by_telling_its_delegate(
    station: Station, repositories: Repositories
) -> None:
    backup = station.waiting_draft()
    told = len(station.person.get("/v1/me/notices?page_size=1000").json()["notices"])
    assert station.acts(backup, "return_to_applicant", confirmed=True).status_code == 200
    notices = station.person.get("/v1/me/notices?page_size=1000").json()["notices"]
    assert len(notices) == told + 1
    assert "case_returned" in [each["kind"] for each in notices]


def test_a_case_goes_to_support_and_comes_back(station: Station, repositories: Repositories) -> None:
    backup = station.waiting_draft()
    station.deployment.query(
        "UPDATE backup SET saved_at = now() - interval '31 days' WHERE id = %s RETURNING 1", backup
    )
    assert "wait_past_due" in station.causes(backup)
    assert code(station.acts(backup, "hand_to_support")) == (422, "invalid_field")
    assert station.acts(backup, "hand_to_support", reference="KF-1204").status_code == 200
    row = next(row for row in station.stuck(backup) if row["cause"] == "wait_past_due")
    assert row["support"] == "KF-1204"
    assert "take_back" in [each["action"] for each in row["actions"]]
    assert station.acts(backup, "take_back").status_code == 200
    assert {row["support"] for row in station.stuck(backup)} == {None}
    assert code(station.acts(backup, "take_back")) == (409, "nothing_to_do")


def test_of_two_operators_at_once_one_acts_and_the_other_is_told(station: Station) -> None:
    backup = station.draft()
    with (
        station.deployment.account("operator", roles=("operator",)) as second,
        ThreadPoolExecutor(2) as both,
    ):
        acting = [
            both.submit(station.acts, backup, "pause", revision=0, by=each)
            for each in (station.operator, second)
        ]
        answers = sorted((each.result() for each in acting), key=lambda answer: answer.status_code)
    assert [answer.status_code for answer in answers] == [200, 412]
    assert (code(answers[1]), answers[1].json()["revision"]) == ((412, "case_acted_on"), 1)
    assert counts(station, backup) == [(1,)]


def test_an_action_repeated_under_its_key_is_done_once(station: Station) -> None:
    backup, key = station.draft(), str(uuid.uuid4())
    first = station.acts(backup, "pause", revision=0, key=key)
    again = station.acts(backup, "pause", revision=0, key=key)
    assert (first.status_code, again.status_code, again.headers["Idempotency-Replayed"]) == (200, 200, "true")
    assert code(station.acts(backup, "pause", revision=0, key=key, reason="另一个")) == (
        422, "idempotency_key_reused",
    )  # fmt: skip
    assert (counts(station, backup), len(station.case(backup)["acts"])) == ([(1,)], 1)


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_is_done_with_a_case_that_is_over_or_unknown(station: Station, action: str) -> None:
    said: dict[str, Any] = {"confirmed": True, "reference": "KF-1", "event_id": 4}
    unknown = str(uuid.uuid4())
    answer = station.acts(unknown, action, revision=0, **said)
    assert code(answer) == (404, "not_found")
    assert [act for act, *_ in station.trail(unknown)] == [f"operator_refused_{action}"]
    if action in ("hand_to_support", "take_back"):
        return
    backup = complete_draft(station.person)
    number(station.person, backup)
    assert code(station.acts(backup, action, **said)) == (409, "case_not_running")
    assert station.case(backup)["acts"][0]["result"] == "case_not_running"
    assert station.person.get(f"/v1/backups/{backup}").json()["state"] == "numbered"


@pytest.mark.parametrize(
    "reason",
    ["致电 13800138000", "电话 138-0013-8000", "１３８００１３８０００", "证件 11010119900101", "   "],
)
def test_a_reason_that_may_name_a_person_is_refused_and_kept_nowhere(station: Station, reason: str) -> None:
    backup = station.draft()
    answer = station.acts(backup, "pause", reason=reason)
    assert code(answer) == (422, "reason_not_allowed")
    assert answer.json()["errors"][0]["pointer"] == "/reason"
    assert reason.strip() == "" or reason not in answer.text
    assert [row[:3] for row in station.trail(backup)] == [("operator_refused_pause", "operator", "")]
    assert station.case(backup)["workflow"] == "running"


def test_what_cannot_be_undone_is_confirmed_first(station: Station) -> None:
    backup = station.draft()
    for action in sorted(DANGEROUS):
        assert code(station.acts(backup, action, event_id=4)) == (422, "confirmation_missing")
    assert code(station.acts(backup, "reset", confirmed=True)) == (422, "invalid_field")
    assert counts(station, backup) == [(0,)]


@pytest.mark.parametrize(
    "roles",
    [("person",), ("person", "unit_administrator"), ("policy",), ("auditor",), ("operator", "auditor"),
     ("operator", "policy")],
    ids=" and ".join,
)  # fmt: skip
def test_only_operators_who_are_nothing_else_see_and_act(station: Station, roles: tuple[Any, ...]) -> None:
    backup = station.draft()
    with station.deployment.account("operator", roles=roles) as other:
        assert code(other.get("/v1/ops/stuck")) == (403, "not_allowed")
        assert code(other.get(f"/v1/ops/cases/{backup}")) == (403, "not_allowed")
        assert code(station.acts(backup, "pause", by=other)) == (403, "not_allowed")
    assert station.case(backup)["workflow"] == "running"


def test_the_trail_tells_who_asked_for_what_why_and_what_came_of_it(station: Station) -> None:
    backup = station.draft()
    station.acts(backup, "pause", reason="排查短信")
    station.acts(backup, "pause", reason="再试")
    station.acts(backup, "resume", revision=0)
    acts = [(act, kind, reason) for act, kind, reason, _ in station.trail(backup)]
    assert acts == [
        ("operator_asks_pause", "operator", "排查短信"),
        ("operator_pause", "operator", None),
        ("operator_asks_pause", "operator", "再试"),
        ("operator_pause", "operator", None),
        ("operator_refused_resume", "operator", "演练 / drill"),
    ]
    outcomes = [facts.get("outcome") or facts.get("code") for *_, facts in station.trail(backup)]
    assert outcomes[1:] == [
        {"done": True}, None, {"refused": "nothing_to_do", "facts": {}}, "case_acted_on",
    ]  # fmt: skip


def test_nothing_an_operator_sees_names_a_person(station: Station, repositories: Repositories) -> None:
    backup = station.waiting_draft()
    station.deployment.query(
        "UPDATE backup SET saved_at = now() - interval '31 days' WHERE id = %s RETURNING 1", backup
    )
    station.scan()
    shown = station.operator.get("/v1/ops/stuck").text + station.operator.get(f"/v1/ops/cases/{backup}").text
    kept = str(station.deployment.query("SELECT * FROM stuck_work")) + str(
        station.deployment.query("SELECT * FROM operator_action")
    )
    for secret in ("张示例", "15400000001", PROJECT["title"], "示例大学附属医院"):
        assert secret not in shown + kept
    assert backup in shown + kept
