"""Receipts as carriers push them, and the page that stands for a phone's screen."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from carrier_servers import running
from conftest import SERVERS, sending_by
from fastapi import FastAPI
from pydantic import SecretStr
from sms_stage import PHONE, Stage
from sqlalchemy import Engine
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from activities.sms.choice import chosen
from activities.sms.inbox import Inbox
from api import problems, sms
from schemas.contracts.sms import MessageOutcome
from schemas.sms import TextMessage
from settings import Settings

SECRET = "a-secret-of-this-test"
NATIONAL = PHONE.removeprefix("+86")


def site(settings: Settings, engine: Engine) -> TestClient:
    app = FastAPI(responses=problems.RESPONSES)
    problems.install(app)
    app.state.platform = SimpleNamespace(engine=engine)
    app.include_router(sms.router(settings))
    return TestClient(app)


class Sending:
    """A message that went out by a real carrier, and the address for its receipts."""

    def __init__(self, stage: Stage, client: TestClient, name: str, message: TextMessage) -> None:
        self.stage, self.client, self.name, self.message = stage, client, name, message
        self.path = f"/v1/sms-receipts/{name}/{SECRET}"

    def report(self, *, arrived: bool, ours: bool = True) -> dict[str, Any]:
        """One entry, every field that the carrier documents in it."""
        serial = self.stage.row(self.message)["provider_id"] if ours else "99^9"
        if self.name == "tencent":
            return {
                "user_receive_time": "2026-11-22 08:03:04",
                "nationcode": "86",
                "mobile": NATIONAL,
                "report_status": "SUCCESS" if arrived else "FAIL",
                "errmsg": "DELIVRD" if arrived else "EMPTYNUM",
                "description": "用户短信送达成功",
                "sid": serial,
            }
        return {
            "phone_number": NATIONAL,
            "send_time": "2026-11-22 08:03:01",
            "report_time": "2026-11-22 08:03:04",
            "success": arrived,
            "err_code": "DELIVERED" if arrived else "MOBILE_NOT_ON_SERVICE",
            "err_msg": "用户接收成功",
            "sms_size": "1",
            "biz_id": serial,
            "out_id": str(self.message.id) if ours else "an-order-of-a-shop",
        }

    @property
    def state(self) -> tuple[object, object]:
        row = self.stage.row(self.message)
        return row["state"], row["failure"]


@pytest.fixture(params=list(SERVERS))
def sending(request: pytest.FixtureRequest, settings: Settings, engine: Engine) -> Iterator[Sending]:
    with running(SERVERS[request.param]) as server:
        secret = SecretStr(SECRET)
        configured = sending_by(settings, request.param, server.url, sms_receipt_secret=secret)
        stage = Stage(configured, engine, chosen(configured, engine))
        message = stage.enqueue()
        assert stage.attempt(message) == MessageOutcome(state="sent")
        yield Sending(stage, site(configured, engine), request.param, message)


TAKEN = {"aliyun": {"code": 0, "msg": "接收成功"}, "tencent": {"result": 0, "errmsg": "OK"}}


@pytest.mark.parametrize(
    ("arrived", "state"), [(True, ("delivered", None)), (False, ("failed", "undelivered"))]
)
def test_a_receipt_is_recorded_once_and_the_first_word_stands(
    sending: Sending, arrived: bool, state: tuple[str, str | None]
) -> None:
    for word in (arrived, arrived, not arrived):
        answer = sending.client.post(sending.path, json=[sending.report(arrived=word)])
        assert (answer.status_code, answer.json()) == (200, TAKEN[sending.name])
        assert sending.state == state
    assert sending.stage.row(sending.message)["receipt_at"] is not None


def test_of_a_batch_what_is_unknown_is_passed_over(sending: Sending) -> None:
    batch = [sending.report(arrived=False, ours=False), sending.report(arrived=True)]
    assert sending.client.post(sending.path, json=batch).json() == TAKEN[sending.name]
    assert sending.state == ("delivered", None)
    assert sending.client.post(sending.path, json=[]).json() == TAKEN[sending.name]


def test_no_other_carrier_has_a_word_on_a_message(sending: Sending) -> None:
    other = next(name for name in SERVERS if name != sending.name)
    reports = [
        {
            **sending.report(arrived=True),
            "sid": "1^0",
            "report_status": "SUCCESS",
            "biz_id": "1^0",
            "success": True,
        }
    ]
    assert sending.client.post(f"/v1/sms-receipts/{other}/{SECRET}", json=reports).status_code == 200
    assert sending.state == ("sent", None)


@pytest.mark.parametrize("secret", ["", "x", SECRET[:-1], SECRET + "x", "密", "%ff", "x" * 5000])
def test_without_the_secret_there_is_no_such_address(sending: Sending, secret: str) -> None:
    path = f"/v1/sms-receipts/{sending.name}/{secret}"
    answer = sending.client.post(path, json=[sending.report(arrived=True)])
    assert answer.status_code == 404
    assert sending.state == ("sent", None)


def test_where_no_secret_is_set_none_is_right(sending: Sending, engine: Engine, settings: Settings) -> None:
    client = site(sending_by(settings, sending.name), engine)
    for secret in ("", "%00", SECRET):
        path = f"/v1/sms-receipts/{sending.name}/{secret}"
        assert client.post(path, json=[sending.report(arrived=True)]).status_code == 404


@pytest.mark.parametrize(
    "body", ["", "{}", "[1]", "[[]]", "[{}]", "null", '[{"sid": {}, "biz_id": 1}]', "[" * 99]
)
def test_a_body_that_is_no_receipt_is_refused(sending: Sending, body: str) -> None:
    assert sending.client.post(sending.path, content=body).status_code in (400, 422)
    assert sending.state == ("sent", None)


def test_a_carrier_may_leave_out_the_content_type(sending: Sending) -> None:
    body = json.dumps([sending.report(arrived=True)])
    assert sending.client.post(sending.path, content=body).json() == TAKEN[sending.name]
    assert sending.state == ("delivered", None)


def test_a_receipt_leaves_no_number_behind(sending: Sending, capfd: pytest.CaptureFixture[str]) -> None:
    good, wrong = sending.report(arrived=True), {"mobile": NATIONAL, "phone_number": NATIONAL}
    with capture_logs() as logs:
        answers = [
            sending.client.post(sending.path, json=body) for body in ([good], [wrong], wrong, NATIONAL)
        ]
        told = [answer.text for answer in answers]
    everything = f"{told} {logs} {capfd.readouterr()} {sending.stage.row(sending.message)}"
    assert NATIONAL not in everything
    assert SECRET not in everything


# --- the inbox --------------------------------------------------------------------------------------


@pytest.fixture
def inbox(settings: Settings, engine: Engine) -> Stage:
    return Stage(settings, engine, Inbox(engine))


def test_the_inbox_shows_what_a_phone_would_newest_first_and_the_number_masked(
    settings: Settings, engine: Engine, inbox: Stage
) -> None:
    messages = [inbox.enqueue(code=code) for code in ("111111", "222222")]
    for message in messages:
        assert inbox.attempt(message) == MessageOutcome(state="sent")
    page = site(settings, engine).get("/sms-inbox")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.text.index("222222") < page.text.index("111111")
    assert "仅限开发环境" in page.text
    assert "+86154****0000" in page.text
    assert NATIONAL not in page.text


def test_what_a_message_says_is_escaped(settings: Settings, engine: Engine, inbox: Stage) -> None:
    inbox.attempt(inbox.enqueue(code="<script>alert(1)</script>"))
    page = site(settings, engine).get("/sms-inbox").text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_where_a_carrier_sends_there_is_no_inbox(settings: Settings, engine: Engine) -> None:
    assert site(sending_by(settings, "aliyun"), engine).get("/sms-inbox").status_code == 404


def test_an_empty_inbox_says_so(settings: Settings, engine: Engine) -> None:
    assert "还没有短信" in site(settings, engine).get("/sms-inbox").text
