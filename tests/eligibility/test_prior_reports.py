"""Prior reports over HTTP: recorded once, in the way of what would undo them, told without a person."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from eligibility_desk import SOON, Desk, now

from api.tokens import PEOPLE


@pytest.fixture(scope="module")
def number(desk: Desk) -> str:
    return desk.numbered("zhang")


def report(desk: Desk, number: str, **changes: Any) -> dict[str, Any]:
    said = {**desk.question("zhang", number), "report_id": "R-1", "used_at": now().isoformat()}
    return said | changes


def told(desk: Desk, body: dict[str, Any]) -> httpx2.Response:
    return desk.service.post("/v1/prior-reports", json=body)


def test_a_report_is_recorded_once_however_often_and_at_once_it_is_told(desk: Desk, number: str) -> None:
    body = report(desk, number, report_id="R-once")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: told(desk, body), range(4)))
    assert [answer.status_code for answer in answers] == [201] * 4, answers[0].text
    assert len({answer.text for answer in answers}) == 1
    assert told(desk, body).json() == answers[0].json()
    assert desk.query("SELECT count(*) FROM prior_report WHERE report_id = 'R-once'") == [(1,)]
    other = told(desk, body | {"used_at": (now() - timedelta(seconds=1)).isoformat()})
    assert (other.status_code, other.json()["type"]) == (409, "/problems/recorded_otherwise")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"backup_number": "BF2099010100001"}, 404, "number_unknown"),
        ({"backup_number": "a b"}, 422, "number_malformed"),
        ({"used_at": (now() + SOON).isoformat()}, 422, "time_in_future"),
        ({"used_at": "1999-01-01T00:00:00Z"}, 422, "before_the_rules"),
        ({"report_id": "张三"}, 422, "invalid_field"),
        ({"account": "7d0f3f0e-0000-4000-8000-000000000000"}, 409, "not_eligible"),
    ],
)
def test_what_cannot_be_recorded_is_refused_with_the_reason(
    desk: Desk, number: str, change: dict[str, Any], status: int, code: str
) -> None:
    answer = told(desk, report(desk, number, report_id="R-no") | change)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}")
    assert desk.query("SELECT count(*) FROM prior_report WHERE report_id = 'R-no'") == [(0,)]
    if code == "not_eligible":
        assert "was not the backup's delegate" in answer.json()["detail"]


def test_a_report_told_after_the_authorisation_ended_counts_for_the_time_of_use(desk: Desk) -> None:
    backup = desk.numbered("zhao")
    used_at = now()
    time.sleep(1.1)  # a token names the second in which it was issued
    with desk.account("zhao", unit_authorised=False) as zhao:
        zhao.post("/v1/me/sign-ins", headers={"Idempotency-Key": "2f0a3b0e-94f5-4fd3-9f83-0c6b8b2d3a55"})
    [(since,)] = desk.query(
        "SELECT max(valid_from) FROM account_standing WHERE account_id = %s", desk.account_id("zhao")
    )
    body = {**desk.question("zhao", backup), "report_id": "R-late"}
    assert told(desk, body | {"used_at": since.isoformat()}).status_code == 409
    assert told(desk, body | {"used_at": used_at.isoformat()}).status_code == 201


def test_only_a_system_with_that_scope_may_tell(desk: Desk, number: str) -> None:
    with desk.system("asks-only", "eligibility") as asks, desk.account("zhang") as zhang:
        for other in (asks, zhang):
            assert other.post("/v1/prior-reports", json=report(desk, number)).status_code == 403


def test_neither_answers_nor_logs_name_a_person(
    desk: Desk, number: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = [desk.check(person, number) for person in ("zhang", "li")]
    answers = [told(desk, report(desk, number, report_id=f"R-{person}")).json() for person in ("zhang", "li")]
    signed = "".join(payload_of(answer["jws"]) for answer in asked)
    shown = (
        json.dumps([asked, answers], ensure_ascii=False) + signed + caplog.text + "".join(capfd.readouterr())
    )
    assert number in shown
    for person in PEOPLE.values():
        assert person.name not in shown
        assert person.phone.removeprefix("+86") not in shown


def payload_of(jws: str) -> str:
    payload = jws.split(".")[1]
    return base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
