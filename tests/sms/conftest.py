"""Carriers: the inbox on a database, the two real adapters on local servers."""

from collections.abc import Iterator
from typing import Any

import pytest
from carrier_servers import APP_ID, KEY_ID, KEY_SECRET, SIGNATURE, TEMPLATES, CarrierServer, running
from carrier_servers import Aliyun as AliyunServer
from carrier_servers import Tencent as TencentServer
from pydantic import HttpUrl, SecretStr
from sqlalchemy import Engine

from activities.sms import aliyun, choice, tencent
from activities.sms.carrier import Carrier
from settings import Settings
from store.database import connect

SERVERS = {"aliyun": AliyunServer, "tencent": TencentServer}


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy between adapter and server."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second instead of ten for an answer."""
    for adapter in (aliyun, tencent):
        monkeypatch.setattr(adapter, "READ_TIMEOUT", 0.5)


def sending_by(settings: Settings, name: str, url: str = "http://127.0.0.1:1", **more: object) -> Settings:
    """Settings that send by a carrier at this address."""
    chosen: dict[str, Any] = {
        "sms_carrier": name,
        "sms_key_id": KEY_ID,
        "sms_key_secret": SecretStr(KEY_SECRET),
        "sms_signature": SIGNATURE,
        "sms_claim_code_template": TEMPLATES["claim_code"],
        "sms_step_up_code_template": TEMPLATES["step_up_code"],
        "sms_app_id": APP_ID,
        "sms_endpoint": HttpUrl(url),
        **more,
    }
    return settings.model_copy(update=chosen)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """A database of the test's own."""
    engine = connect(settings.database_url.get_secret_value())
    yield engine
    engine.dispose()


@pytest.fixture(params=list(SERVERS))
def server(request: pytest.FixtureRequest) -> Iterator[CarrierServer]:
    """The server of each real carrier in turn."""
    with running(SERVERS[request.param]) as server:
        yield server


@pytest.fixture
def carrier(server: CarrierServer, session_settings: Settings, engine: Engine) -> Carrier:
    """The adapter that talks to it."""
    return choice.chosen(sending_by(session_settings, server.carrier, server.url), engine)
