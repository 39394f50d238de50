"""Carriers: one contract for every adapter, and every odd answer of a real socket."""

import logging
import logging.config
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args
from uuid import uuid4

import pytest
from carrier_servers import SIGNATURE, TEMPLATES, CarrierServer, running
from conftest import SERVERS, sending_by
from pydantic import SecretStr
from sms_stage import CODE, PHONE
from sqlalchemy import Engine

from activities.sms.aliyun import Aliyun
from activities.sms.carrier import Carrier, NeverError, TryLaterError, UnknownError
from activities.sms.choice import chosen
from schemas.sms import TEMPLATES as WORDS
from schemas.sms import SmsKind, TextMessage
from settings import Settings

REPOSITORY = Path(__file__).parents[2]
NOW = datetime.now(UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOT_SHOWN = {"inbox": "unsent", "aliyun": "unsent", "tencent": "unknown"}
"""What each says of a message it does not show: Tencent Cloud shows too few to say more."""


def message(kind: SmsKind = "claim_code") -> TextMessage:
    return TextMessage(uuid4(), kind, uuid4(), PHONE, CODE, NOW + timedelta(minutes=5))


# --- the contract -----------------------------------------------------------------------------------


@pytest.fixture(params=["inbox", *SERVERS])
def any_carrier(
    request: pytest.FixtureRequest, session_settings: Settings, engine: Engine
) -> Iterator[Carrier]:
    if request.param == "inbox":
        yield chosen(session_settings, engine)
        return
    with running(SERVERS[request.param]) as server:
        yield chosen(sending_by(session_settings, request.param, server.url), engine)


def test_a_carrier_is_known_by_the_name_that_chose_it(
    any_carrier: Carrier, request: pytest.FixtureRequest
) -> None:
    assert any_carrier.name in request.node.name


@pytest.mark.parametrize("kind", TEMPLATES)
def test_what_was_not_sent_is_not_shown_and_what_was_sent_is_taken(
    any_carrier: Carrier, kind: SmsKind
) -> None:
    one, other = message(kind), message(kind)
    assert any_carrier.status(one, NOW) == NOT_SHOWN[any_carrier.name]
    assert any_carrier.send(one).provider_id
    assert any_carrier.status(one, NOW) in ("sent", "delivered", "unknown")
    assert any_carrier.status(other, NOW) == NOT_SHOWN[any_carrier.name]


def test_two_messages_have_two_ids_at_the_carrier(any_carrier: Carrier) -> None:
    assert any_carrier.send(message()).provider_id != any_carrier.send(message()).provider_id


# --- the real ones ----------------------------------------------------------------------------------


def test_a_message_carries_its_id_its_words_and_a_signature_that_verifies(
    carrier: Carrier, server: CarrierServer
) -> None:
    one = message("step_up_code")
    sent = carrier.send(one)
    [taken] = server.taken
    assert (taken.key, taken.phone, taken.code) == (str(one.id), PHONE.removeprefix("+86"), CODE)
    assert (taken.template, taken.signature) == (TEMPLATES["step_up_code"], SIGNATURE)
    assert sent.provider_id == taken.serial
    assert server.requests == 1


@pytest.mark.parametrize(("reported", "status"), [(1, "delivered"), (0, "undelivered")])
def test_what_the_phone_got_is_found_by_the_id_of_the_message(
    carrier: Carrier, server: CarrierServer, reported: int, status: str
) -> None:
    one, other = message(), message()
    carrier.send(one)
    carrier.send(other)
    server.taken[0].reported = reported
    assert carrier.status(one, NOW) == status
    assert carrier.status(other, NOW) in ("sent", "unknown")


def test_a_message_asked_for_before_midnight_in_china_is_found_after(
    session_settings: Settings, engine: Engine
) -> None:
    with running(SERVERS["aliyun"]) as server:
        carrier = Aliyun(sending_by(session_settings, "aliyun", server.url))
        one = message()
        carrier.send(one)
        assert carrier.status(one, NOW - DAY) == "sent"
        assert server.requests <= 3


def test_a_wrong_secret_is_refused_for_good(
    server: CarrierServer, session_settings: Settings, engine: Engine
) -> None:
    wrong = SecretStr("another-secret")
    settings = sending_by(session_settings, server.carrier, server.url, sms_key_secret=wrong)
    carrier = chosen(settings, engine)
    with pytest.raises(NeverError) as never:
        carrier.send(message())
    assert never.value.failure == "account"
    with pytest.raises(TryLaterError):
        carrier.status(message(), NOW)
    assert server.taken == []


ALIYUN_LIMITS = [
    ("isv.BUSINESS_LIMIT_CONTROL", "触发分钟级流控Permits:1", MINUTE),
    ("isv.BUSINESS_LIMIT_CONTROL", "触发小时级流控Permits:5", HOUR),
    ("isv.BUSINESS_LIMIT_CONTROL", "触发天级流控Permits:10", DAY),
    ("isv.BUSINESS_LIMIT_CONTROL", "something new", HOUR),
    ("isv.DAY_LIMIT_CONTROL", "触发日发送限额", DAY),
    ("Throttling.User", "Request was denied due to user flow control.", timedelta(seconds=10)),
]
TENCENT_LIMITS = [
    ("LimitExceeded.PhoneNumberThirtySecondLimit", "", timedelta(seconds=30)),
    ("LimitExceeded.DeliveryFrequencyLimit", "", timedelta(seconds=30)),
    ("LimitExceeded.PhoneNumberOneHourLimit", "", HOUR),
    ("LimitExceeded.PhoneNumberDailyLimit", "", DAY),
    ("LimitExceeded.AppMainlandChinaDailyLimit", "", DAY),
    ("LimitExceeded.PhoneNumberSameContentDailyLimit", "", DAY),
    ("LimitExceeded.GlobalSmsSendingRateLimit", "", timedelta(seconds=10)),
]
LIMITS = [("aliyun", *row) for row in ALIYUN_LIMITS] + [("tencent", *row) for row in TENCENT_LIMITS]


@pytest.mark.parametrize(("name", "code", "sentence", "after"), LIMITS)
def test_a_limit_says_when_to_try_again(
    session_settings: Settings, engine: Engine, name: str, code: str, sentence: str, after: timedelta
) -> None:
    with running(SERVERS[name]) as server:
        server.refusing = (code, sentence)
        carrier = chosen(sending_by(session_settings, name, server.url), engine)
        with pytest.raises(TryLaterError) as later:
            carrier.send(message())
    assert (later.value.failure, later.value.retry_after) == ("limited", after)


ALIYUN_REFUSALS = [
    ("isv.MOBILE_NUMBER_ILLEGAL", "number"),
    ("isv.SMS_TEMPLATE_ILLEGAL", "template"),
    ("isv.SMS_SIGNATURE_ILLEGAL", "template"),
    ("isv.TEMPLATE_MISSING_PARAMETERS", "template"),
    ("isv.INVALID_PARAMETERS", "template"),
    ("isv.BLACK_KEY_CONTROL_LIMIT", "template"),
    ("isv.AMOUNT_NOT_ENOUGH", "account"),
    ("isv.OUT_OF_SERVICE", "account"),
    ("isv.PRODUCT_UN_SUBSCRIPT", "account"),
    ("isv.DENY_IP_RANGE", "account"),
    ("isp.RAM_PERMISSION_DENY", "account"),
]
TENCENT_REFUSALS = [
    ("InvalidParameterValue.IncorrectPhoneNumber", "number"),
    ("FailedOperation.PhoneNumberInBlacklist", "number"),
    ("UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber", "number"),
    ("FailedOperation.TemplateIncorrectOrUnapproved", "template"),
    ("FailedOperation.SignatureIncorrectOrUnapproved", "template"),
    ("FailedOperation.TemplateParamSetNotMatchApprovedTemplate", "template"),
    ("FailedOperation.ContainSensitiveWord", "template"),
    ("FailedOperation.InsufficientBalanceInSmsPackage", "account"),
    ("InvalidParameterValue.SdkAppIdNotExist", "account"),
    ("UnauthorizedOperation.RequestIpNotInWhitelist", "account"),
]
REFUSALS = [("aliyun", *row) for row in ALIYUN_REFUSALS] + [("tencent", *row) for row in TENCENT_REFUSALS]


@pytest.mark.parametrize(("name", "code", "failure"), REFUSALS)
def test_a_refusal_is_for_good_and_in_our_words(
    session_settings: Settings, engine: Engine, name: str, code: str, failure: str
) -> None:
    with running(SERVERS[name]) as server:
        server.refusing = (code, f"{PHONE} {CODE}")
        carrier = chosen(sending_by(session_settings, name, server.url), engine)
        with pytest.raises(NeverError) as never:
            carrier.send(message())
    assert never.value.failure == failure


@pytest.mark.parametrize(
    "code", ["isp.SYSTEM_ERROR", "InternalError.OtherError", "FailedOperation.OtherError", ""]
)
def test_a_code_that_does_not_say_whether_it_was_sent_leaves_it_open(
    carrier: Carrier, server: CarrierServer, code: str
) -> None:
    server.refusing = (code, "")
    with pytest.raises(UnknownError):
        carrier.send(message())


@pytest.mark.parametrize("way", ["silent", "slow"])
def test_a_message_taken_without_an_answer_is_left_open_and_asked_for_only_once(
    carrier: Carrier, server: CarrierServer, way: str
) -> None:
    setattr(server, way, True)
    with pytest.raises(UnknownError):
        carrier.send(message())
    assert (server.requests, len(server.taken)) == (1, 1)


def test_a_carrier_that_cannot_be_reached_has_not_been_asked(
    session_settings: Settings, engine: Engine, server: CarrierServer
) -> None:
    carrier = chosen(sending_by(session_settings, server.carrier), engine)
    for ask in (lambda: carrier.send(message()), lambda: carrier.status(message(), NOW)):
        with pytest.raises(TryLaterError) as later:
            ask()
        assert later.value.failure == "unreachable"


MALFORMED = [
    (200, b""),
    (200, b"<html>"),
    (200, b"null"),
    (200, b"[]"),
    (200, b'"OK"'),
    (200, b"{}"),
    (200, b'{"Code": "OK"}'),
    (200, b'{"Code": 7, "BizId": {}}'),
    (200, b'{"Response": {}}'),
    (200, b'{"Response": {"SendStatusSet": []}}'),
    (200, b'{"Response": {"SendStatusSet": [null]}}'),
    (200, b'{"Response": {"SendStatusSet": [{"Code": "Ok"}]}}'),
    (200, b'{"Response": {"SendStatusSet": 3, "PullSmsSendStatusSet": 3}}'),
    (302, b""),
    (500, b'{"Code": "ServiceUnavailable"}'),
    (502, b"Bad Gateway"),
    (200, b"\xff\xfe\x00" * 100),
]


@pytest.mark.parametrize(("status", "body"), MALFORMED)
def test_a_malformed_answer_leaves_it_open_and_tells_nothing_of_what_was_sent(
    carrier: Carrier, server: CarrierServer, status: int, body: bytes
) -> None:
    server.raw = (status, body)
    with pytest.raises(UnknownError):
        carrier.send(message())
    with suppress(TryLaterError):
        assert carrier.status(message(), NOW) == "unknown"


# --- privacy ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["well", "silent", "refusing", "raw", "unreachable"])
def test_neither_number_nor_code_is_in_a_log_or_an_exception(
    server: CarrierServer,
    session_settings: Settings,
    engine: Engine,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    monkeypatch.setenv("DEBUG", "sdk")  # with which one SDK prints all it sends
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})  # as uvicorn does
    caplog.set_level(logging.INFO)
    caplog.handler.setLevel(logging.NOTSET)  # its logger has a level of its own
    answers = {"silent": True, "refusing": ("isv.X", f"{PHONE}{CODE}"), "raw": (200, CODE.encode())}
    if way in answers:
        setattr(server, way, answers[way])
    url = "http://127.0.0.1:1" if way == "unreachable" else server.url
    carrier = chosen(sending_by(session_settings, server.carrier, url), engine)
    told = []
    for ask in (carrier.send, lambda one: carrier.status(one, NOW)):
        one = message()
        try:
            told.append(repr(ask(one)))
        except (TryLaterError, NeverError, UnknownError) as error:
            told += [f"{error!r} {error.__cause__!r}", traceback.format_exc()]
        told += [repr(one), str(one)]
    everything = "".join([*told, caplog.text, *capfd.readouterr()])
    assert PHONE.removeprefix("+86") not in everything
    assert CODE not in everything


# --- words ------------------------------------------------------------------------------------------


def test_the_words_to_be_approved_are_those_that_the_reference_prints() -> None:
    reference = (REPOSITORY / "docs" / "reference" / "sms.md").read_text("utf-8")
    assert set(WORDS) == set(get_args(SmsKind))
    for kind, words in WORDS.items():
        assert f"| `{kind}` | {words} |" in reference
        assert words.count("{") == words.count("{code}") == 1


# --- choosing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "package"), [("aliyun", "alibabacloud_dysmsapi20170525"), ("tencent", "tencentcloud")]
)
def test_a_missing_extra_is_named(name: str, package: str, session_settings: Settings) -> None:
    code = f"""
import sys
sys.modules[{package!r}] = None
from activities.sms.choice import chosen
from settings import Settings, SettingsError
try:
    chosen(Settings.model_construct(sms_carrier={name!r}), None)
except SettingsError as error:
    print(error)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert f"pip install 'hgrip[{name}]'" in ran.stdout


def test_no_sdk_is_imported_for_the_inbox() -> None:
    code = (
        "import sys, worker, api.app; print([m for m in sys.modules if m.startswith(('alibaba', 'tencent'))])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
