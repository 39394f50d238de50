"""Servers on real sockets that speak as two carriers document, signatures verified, or as a test wants.

Written from the carriers' documents of request signing, not from their SDKs:
ACS3-HMAC-SHA256 (https://help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature),
TC3-HMAC-SHA256 (https://cloud.tencent.com/document/api/382/52072).
"""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

KEY_ID, KEY_SECRET = "LTAI-test-key-id", "test-key-secret"
SIGNATURE, TEMPLATES, APP_ID = "人遗备份", {"claim_code": "SMS_101", "step_up_code": "SMS_102"}, "1400006666"


@dataclass
class Taken:
    """A message the carrier took: what a phone got."""

    key: str
    phone: str
    code: str
    template: str
    signature: str
    serial: str
    reported: int | None = None
    """None while the phone's operator has not reported; 1 arrived, 0 not."""


class CarrierServer(ThreadingHTTPServer):
    """A carrier; `odd` answers change what it does with the next requests to send."""

    daemon_threads = True

    def __init__(self, handler: type["_Handler"]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.carrier = handler.__name__.lower()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.taken: list[Taken] = []
        self.requests = 0
        self.nonces: set[str] = set()
        self.refusing: tuple[str, str] | None = None
        """Code and sentence to refuse messages with."""
        self.silent = False
        """Take messages, and break off without an answer."""
        self.slow = False
        """Take messages, and let the caller wait."""
        self.raw: tuple[int, bytes] | None = None
        """Status and body to answer everything with."""
        self.ending = threading.Event()

    def take(self, key: str, phone: str, code: str, template: str, signature: str) -> Taken:
        taken = Taken(key, phone, code, template, signature, serial=f"{len(self.taken) + 1}^0")
        self.taken.append(taken)
        return taken


class _Handler(BaseHTTPRequestHandler):
    server: CarrierServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.requests += 1
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.raw is not None:
            self.answer(*self.server.raw)
            return
        before = len(self.server.taken)
        status, document = self.asked(body)
        if len(self.server.taken) > before and (self.server.silent or self.server.slow):
            self.server.ending.wait(5 if self.server.slow else 0)
            self.close_connection = True
            return
        self.answer(status, json.dumps(document).encode())

    def asked(self, body: bytes) -> tuple[int, dict[str, Any]]:
        raise NotImplementedError

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class Aliyun(_Handler):
    """Dysmsapi 2017-05-25, style RPC, signature version 3."""

    def asked(self, body: bytes) -> tuple[int, dict[str, Any]]:
        if not self._signed(body):
            return 400, {"Code": "SignatureDoesNotMatch", "Message": "Specified signature is not matched"}
        query = dict(parse_qsl(urlsplit(self.path).query))
        assert self.headers["x-acs-version"] == "2017-05-25"
        action = self.headers["x-acs-action"]
        return 200, {"SendSms": self._send, "QuerySendDetails": self._details}[action](query)

    def _send(self, query: Mapping[str, str]) -> dict[str, Any]:
        if self.server.refusing:
            code, sentence = self.server.refusing
            return {"Code": code, "Message": sentence, "RequestId": "1"}
        taken = self.server.take(
            key=query["OutId"],
            phone=query["PhoneNumbers"],
            code=json.loads(query["TemplateParam"])["code"],
            template=query["TemplateCode"],
            signature=query["SignName"],
        )
        return {"Code": "OK", "Message": "OK", "RequestId": "1", "BizId": taken.serial}

    def _details(self, query: Mapping[str, str]) -> dict[str, Any]:
        assert query["SendDate"].isdigit()
        assert len(query["PhoneNumber"]) == 11
        details = [
            {
                "OutId": taken.key,
                "PhoneNum": taken.phone,
                "Content": f"【{taken.signature}】{taken.code}",
                "SendStatus": {None: 1, 0: 2, 1: 3}[taken.reported],
            }
            for taken in self.server.taken
            if taken.phone == query["PhoneNumber"]
        ]
        page = {"SmsSendDetailDTO": details}
        return {"Code": "OK", "Message": "OK", "TotalCount": str(len(details)), "SmsSendDetailDTOs": page}

    def _signed(self, body: bytes) -> bool:
        scheme, _, rest = self.headers["Authorization"].partition(" ")
        parts = dict(part.split("=", 1) for part in rest.split(","))
        names = parts["SignedHeaders"].split(";")
        sent = {name.lower(): value.strip() for name, value in self.headers.items()}
        must = {name for name in sent if name.startswith("x-acs-") or name in ("host", "content-type")}
        digest = hashlib.sha256(body).hexdigest()
        nonce = sent["x-acs-signature-nonce"]
        age = datetime.now(UTC) - datetime.fromisoformat(sent["x-acs-date"])
        if nonce in self.server.nonces or names != sorted(names) or not must <= set(names):
            return False
        self.server.nonces.add(nonce)
        split = urlsplit(self.path)
        query = sorted(parse_qsl(split.query, keep_blank_values=True))
        canonical = "\n".join(
            [
                self.command,
                split.path or "/",
                "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in query),
                "".join(f"{name}:{sent[name]}\n" for name in names),
                ";".join(names),
                digest,
            ]
        )
        to_sign = f"{scheme}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        expected = hmac.new(KEY_SECRET.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
        return (
            scheme == "ACS3-HMAC-SHA256"
            and abs(age.total_seconds()) < 900
            and sent["x-acs-content-sha256"] == digest
            and parts["Credential"] == KEY_ID
            and hmac.compare_digest(parts["Signature"], expected)
        )


class Tencent(_Handler):
    """SMS 2021-01-11, signature method TC3-HMAC-SHA256."""

    def asked(self, body: bytes) -> tuple[int, dict[str, Any]]:
        if not self._signed(body):
            error = {"Code": "AuthFailure.SignatureFailure", "Message": "The provided credentials"}
            return 200, {"Response": {"Error": error, "RequestId": "1"}}
        assert self.headers["X-TC-Version"] == "2021-01-11"
        document = json.loads(body)
        assert document["SmsSdkAppId"] == APP_ID
        action = self.headers["X-TC-Action"]
        asked = {"SendSms": self._send, "PullSmsSendStatusByPhoneNumber": self._statuses}[action]
        return 200, {"Response": {**asked(document), "RequestId": "1"}}

    def _send(self, document: Mapping[str, Any]) -> dict[str, Any]:
        [phone] = document["PhoneNumberSet"]
        status = {"PhoneNumber": phone, "SessionContext": document["SessionContext"], "IsoCode": "CN"}
        if self.server.refusing:
            code, sentence = self.server.refusing
            refused = {**status, "SerialNo": "", "Fee": 0, "Code": code, "Message": sentence}
            return {"SendStatusSet": [refused]}
        taken = self.server.take(
            key=document["SessionContext"],
            phone=phone.removeprefix("+86"),
            code=document["TemplateParamSet"][0],
            template=document["TemplateId"],
            signature=document["SignName"],
        )
        taking = {"SerialNo": taken.serial, "Fee": 1, "Code": "Ok", "Message": "send success"}
        return {"SendStatusSet": [{**status, **taking}]}

    def _statuses(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Only of messages on which the phone's operator has reported."""
        assert document["BeginTime"] <= document["EndTime"] <= time.time() + 1
        assert (document["Offset"], document["Limit"]) == (0, 100)
        statuses = [
            {
                "SerialNo": taken.serial,
                "PhoneNumber": f"+86{taken.phone}",
                "SessionContext": taken.key,
                "ReportStatus": "SUCCESS" if taken.reported else "FAIL",
            }
            for taken in self.server.taken
            if taken.reported is not None and f"+86{taken.phone}" == document["PhoneNumber"]
        ]
        return {"PullSmsSendStatusSet": statuses}

    def _signed(self, body: bytes) -> bool:
        scheme, _, rest = self.headers["Authorization"].partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        key_id, day, service, ending = parts["Credential"].split("/")
        names = parts["SignedHeaders"].split(";")
        moment = int(self.headers["X-TC-Timestamp"])
        canonical = "\n".join(
            [
                self.command,
                "/",
                "",
                "".join(f"{name}:{self.headers[name].strip().lower()}\n" for name in names),
                ";".join(names),
                hashlib.sha256(body).hexdigest(),
            ]
        )
        scope = f"{day}/{service}/{ending}"
        to_sign = f"{scheme}\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"TC3{KEY_SECRET}".encode()
        for part in (day, service, ending):
            key = hmac.digest(key, part.encode(), "sha256")
        return (
            scheme == "TC3-HMAC-SHA256"
            and {"content-type", "host"} <= set(names)
            and abs(time.time() - moment) < 300
            and f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}" == day
            and (key_id, service, ending) == (KEY_ID, "sms", "tc3_request")
            and hmac.compare_digest(parts["Signature"], hmac.new(key, to_sign.encode(), "sha256").hexdigest())
        )


def _escaped(text: str) -> str:
    return quote(text, safe="-_.~")


@contextmanager
def running(handler: type[_Handler]) -> Iterator[CarrierServer]:
    """A server, for the length of the block."""
    with CarrierServer(handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.ending.set()
            server.shutdown()
            thread.join()
