"""Drives canaries through every path of the HTTP API, and keeps what came back."""

import json
import re
import secrets
import socket
import time
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
from canary_lists import CanaryLists
from database_failures import connection_cut_in_activity, database_away, dsn, failing_activities

from embedded.platform import REPOSITORY, Platform

EXAMPLES = REPOSITORY / "examples"
PROJECT: dict[str, Any] = json.loads((EXAMPLES / "project.json").read_text("utf-8"))
INFORMATION: dict[str, Any] = json.loads((EXAMPLES / "backup-information.json").read_text("utf-8"))
UNIT = "12990000EX00000106"
"""The hospital of the development issuer."""
OTHER_UNIT = "12990000EX0000031P"
"""One that the person has never signed in for."""


def canaries() -> dict[str, str]:
    """A person who cannot occur by chance, and two cells of personal columns.

    The number is one that can be on record with the old platform, so that the person is attributed.
    """
    letters = [chr(0x4E00 + secrets.randbelow(0x5000)) for _ in range(12)]
    return {
        "name": "".join(letters[:6]),
        "phone": f"138{secrets.randbelow(10**8):08}",
        "e-mail": f"k{secrets.token_hex(8)}@example.org",
        "cell": f"individual-{secrets.token_hex(8)}",
        "Chinese cell": "".join(letters[6:]),
    }


def legacy_export(canaries: dict[str, str]) -> str:
    """An export of the old platform: a backup and a draft of the person, and rows that cannot be read."""
    name, phone, cell = canaries["name"], canaries["phone"], canaries["Chinese cell"]
    rows = (
        (name, phone, UNIT, "BF2019052800001", "2019-05-28", ""),
        (name, phone, UNIT, "", "2019-05-28", "草稿"),
        (name, phone, OTHER_UNIT, "BF2019052800009", "2019-05-28", ""),
        (name, f"{phone}0", UNIT, "BF2019052800002", "2019-05-28", ""),
        (name * 20, phone, UNIT, "BF2019052800003", "2019-05-28", ""),
        (name, f"{phone}{name}", UNIT, "BF2019052800004", "2019-05-28", ""),
        (name, phone, UNIT, f"{phone} {name}", cell, phone),
        (phone, name, "", "BF2019052800005", "2019-05-28", name),
        (name, phone, UNIT, "BF2019052800006", phone, ""),
        (f"{name}\a", phone, UNIT),
    )
    lines = ("姓名,手机号,单位,备份编号,日期,状态", *map(",".join, rows))
    return "\n".join(lines)


class Visitor:
    """Somebody who sends what they should not, and some of what they should.

    Attributes:
        refusals: What was asked, and the whole answer, of every error; it must not repeat anything.
        statuses: What was answered, by status code.
    """

    def __init__(self, platform: Platform, token: str, canaries: dict[str, str]) -> None:
        self.name, self.phone, self.email = (canaries[key] for key in ("name", "phone", "e-mail"))
        self.cell = canaries["cell"]
        self._lists = CanaryLists(canaries)
        self.refusals: list[tuple[str, str]] = []
        self.findings: list[str] = []
        self.statuses: dict[int, int] = {}
        self._platform = platform
        self._token = token
        self._http = httpx2.Client(base_url=platform.api_url, timeout=40)

    def is_attributed(self) -> None:
        """Sign in until what the old platform had is in the account."""
        deadline = time.monotonic() + 40
        while (told := self.asks("POST", "/v1/me/sign-ins").json()["attribution"])["state"] != "done":
            assert time.monotonic() < deadline, told["state"]
            time.sleep(0.1)
        assert (told["moved"], told["drafts_left"]) == (1, 1)
        assert "原系统" in self.asks("GET", "/v1/me/notices").text

    def asks(self, method: str, path: str, token: str | None = None, **request: Any) -> httpx2.Response:
        headers = {
            "Authorization": f"Bearer {token or self._token}",
            "Idempotency-Key": str(uuid4()),
            **request.pop("headers", {}),
        }
        answer = self._http.request(method, path, headers=headers, **request)
        self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
        assert answer.status_code != 500, f"{method} {path.partition('?')[0][:14]}"
        if answer.status_code >= 400:
            told = answer.json()
            told.pop("current", None)  # what they saved themselves, shown to them and nobody else
            self.refusals.append((f"{method} {answer.status_code}", f"{answer.headers!r}{told}"))
        return answer

    # --- claims -----------------------------------------------------------------------------------

    def claims_old_backups(self, decider: str, chief: str) -> None:
        """Right, wrong in every way, proven, decided by the unit on record; then by the own unit's chief.

        Args:
            decider: Token of an administrator of the unit on record.
            chief: Token of an administrator of the person's own unit.
        """
        said = {"name": self.name, "phone": self.phone}
        for wrong in (
            {"phone": f"{self.phone}{self.name}"},
            {"phone": f"{self.phone}0"},
            {"name": self.name * 20},
            {"name": {self.name: self.phone}},
            {"name": f"{self.name}\a"},
            {self.phone: self.name},
        ):
            assert self.asks("POST", "/v1/claims", json=said | wrong).status_code == 422
        opened = self.asks("POST", "/v1/claims", json=said)
        assert opened.status_code == 202
        claim = f"/v1/claims/{opened.json()['id']}"
        for code in (self.phone, self.name, "000000"):
            answer = self.asks("POST", f"{claim}/code-attempts", json={"code": code})
            assert answer.status_code == 422
        self.asks("POST", f"{claim}/codes", json=said)
        code = self._code(opened.json()["id"])
        proven = self.asks("POST", f"{claim}/code-attempts", json={"code": code})
        assert proven.json()["state"] == "waiting_for_unit"
        [asked] = self.asks("GET", "/v1/unit-confirmations", token=decider).json()["confirmations"]
        self.refusals.append(("GET /v1/unit-confirmations", json.dumps(asked)))  # masked: to another unit
        decision = {"decision": self.name}
        assert self.asks("POST", f"{claim}/confirmations", decider, json=decision).status_code == 422
        decision = {"decision": "agree"}
        assert self.asks("POST", f"{claim}/confirmations", decider, json=decision).status_code == 204
        assert self.asks("GET", claim).json()["moved"] == 1
        found = self.asks("POST", "/v1/unit-member-searches", chief, json={"name": self.name}).json()
        account = found["members"][0]["account_id"]
        delegates = {account: 201, self.phone: 422, "0b7f6c1e-3d43-5d1c-9c83-5b8f0a4f7f10": 422}
        for delegate, status in delegates.items():
            unit_claim = said | {"delegate_account_id": delegate}
            assert self.asks("POST", "/v1/unit-claims", chief, json=unit_claim).status_code == status
        [shown] = self.asks("GET", "/v1/unit-claims", token=chief).json()["claims"]
        assert shown["state"] == "already_moved"
        path = f"/v1/unit-claims/{shown['id']}/reversals"
        reason = {"reason": f"{self.name} {self.phone}"}
        assert self.asks("POST", path, chief, json=reason).status_code == 409

    def is_handed_over(self, chief: str, colleague: str) -> None:
        """All backups go to a colleague and come back, with the person wherever a body takes a word.

        Args:
            chief: Token of an administrator of the person's unit.
            colleague: Token of the colleague.
        """
        accounts = [
            self.asks("POST", "/v1/me/sign-ins", token).json()["account_id"] for token in (None, colleague)
        ]
        people = dict(zip(("from", "to"), accounts, strict=True))
        for wrong in ({"from": self.name}, {"to": self.phone}, {self.name: self.phone}, {"to": [self.email]}):
            for path in ("/v1/handovers/previews", "/v1/handovers"):
                assert self.asks("POST", path, chief, json=people | wrong).status_code == 422
        shown = self.asks("POST", "/v1/handovers/previews", chief, json=people).json()
        stale = people | {"digest": "0" * 64}
        assert self.asks("POST", "/v1/handovers", chief, json=stale).status_code == 409
        confirmed = people | {"digest": shown["digest"]}
        done = self.asks("POST", "/v1/handovers", chief, json=confirmed)
        assert (done.status_code, done.json()["moved"]) == (201, shown["backups"])
        self.findings.append(done.text)
        history = self.asks("GET", f"/v1/backups/{shown['first'][0]['id']}/delegations", chief)
        assert history.json()["delegations"][-1]["by"] == "handover"
        self.findings.append(history.text)  # masked
        path = f"/v1/handovers/{done.json()['id']}"
        decision = {"decision": self.name}
        assert self.asks("POST", f"{path}/approvals", chief, json=decision).status_code == 422
        assert self.asks("POST", f"{path}/reversals", chief).json()["state"] == "moved"

    def _code(self, claim: str) -> str:
        """The code on the phone."""
        query = "SELECT text FROM sms_inbox JOIN sms_message USING (id) WHERE case_id = %s"
        deadline = time.monotonic() + 40
        with psycopg.connect(dsn(self._platform), autocommit=True) as connection:
            while (row := connection.execute(query.encode(), [claim]).fetchone()) is None:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        return str(re.findall(r"验证码(\d{6})", row[0])[0])

    # --- forms ------------------------------------------------------------------------------------

    @property
    def project(self) -> dict[str, Any]:
        """The project with the person in every personal field."""
        return PROJECT | {
            "principal_investigator": self.name,
            "contact_name": self.name,
            "contact_mobile": self.phone,
            "contact_email": self.email,
        }

    def opens(self) -> str:
        """A draft with the person in its project; its path."""
        answer = self.asks("POST", "/v1/backups", json={"step": "project", "content": self.project})
        assert answer.status_code == 201
        return f"/v1/backups/{answer.json()['backup_id']}"

    def saves(self, draft: str, step: str, content: object) -> httpx2.Response:
        return self.asks(
            "PUT", f"{draft}/steps/{step}", json=content, headers={"If-Match": self._etag(draft, step)}
        )

    def fills_in_forms(self, draft: str) -> None:
        """Right, wrong in every way a form can be, and right again."""
        phone_digits = int(self.phone)
        wrong: list[dict[str, object]] = [
            {"contact_mobile": phone_digits},
            {"contact_mobile": f"{self.phone[:3]} {self.phone[3:7]} {self.phone[7:]}"},
            {"contact_mobile": [self.phone, {"name": self.name}]},
            {"contact_name": {"name": self.name, "phone": self.phone}},
            {"contact_email": f"mailto:{self.email}"},
            {"contact_email": self.email.replace("@", "＠")},
            {"principal_investigator": self.name * 20},
            {"contact_phone": self.phone, "contacts": self.name},
            {self.phone: "", self.name: {"a": self.email}},
            {"unit_code": PROJECT["unit_code"], "电话": self.phone, "邮箱": [self.email]},
        ]
        for fault in wrong:
            saved = self.saves(draft, "project", self.project | fault)
            assert saved.status_code == 200
            self.findings.append(json.dumps([saved.json()["remarks"], saved.json()["findings"]]))
            self._reads_findings(draft)
        recipients = [
            {"name": self.name, "country": "DE", "kind": "individual"},
            {"name": self.name, "country": self.phone, self.phone: self.email},
        ]
        for people in (recipients[:1], recipients, self.name):
            assert (
                self.saves(draft, "backup-information", INFORMATION | {"recipients": people}).status_code
                == 200
            )
            self._reads_findings(draft)
        self.saves(draft, "backup-information", INFORMATION | {"recipients": recipients[:1]})
        assert self.saves(draft, "project", self.project).status_code == 200

    def sends_no_forms(self, draft: str) -> None:
        """What is refused before it is saved."""
        path = f"{draft}/steps/project"
        whole, first = json.dumps(self.project, ensure_ascii=False), {"If-Match": '"0"'}
        json_ = {**first, "Content-Type": "application/json"}
        malformed = [
            whole[:-9],
            f"[{whole}]",
            f'"{self.name}"',
            whole + self.phone,
            f'{{"a": {self.phone}NaN}}',
        ]
        for body in (*(text.encode() for text in malformed), whole.encode("gb18030")):
            assert self.asks("PUT", path, content=body, headers=json_).status_code in (400, 422)
        assert self.asks("PUT", path, data={"contact_mobile": self.phone}, headers=first).status_code == 415
        assert self.asks("PUT", path, json=self.project, headers=first).status_code == 412
        assert self.asks("PUT", path, json=self.project, headers={"If-Match": self.phone}).status_code == 412
        assert self.asks("PUT", path, json=self.project).status_code == 428
        assert self.asks(
            "PUT", path, json=self.project | {"title": self.name * 20_000}, headers=first
        ).status_code in (412, 413)
        no_backups = [
            {"step": self.phone, "content": {}},
            {"step": "project", "content": self.name},
            {"step": "project", "content": {}, self.phone: self.name},
            {"step": [self.email]},
            [self.phone],
        ]
        for document in no_backups:
            assert self.asks("POST", "/v1/backups", json=document).status_code >= 400
        assert (
            self.asks("POST", "/v1/backups", json={}, headers={"Idempotency-Key": self.phone}).status_code
            == 400
        )

    def asks_at_wrong_addresses(self, draft: str) -> None:
        """The person in addresses, queries, headers and methods."""
        for word in (self.phone, self.name, self.email):
            for path in (
                f"/{word}",
                f"/v1/{word}",
                f"/v1/backups/{word}",
                f"/v1/operations/{word}",
                f"/problems/{word}",
            ):
                self.asks("GET", path)
                self.asks("DELETE", path)
            for path in (f"{draft}/steps/{word}", f"{draft}/{word}", f"{draft}/findings?step={word}"):
                self.asks("GET", path)
            self.asks("PUT", f"{draft}/steps/{word}", json=self.project, headers={"If-Match": '"0"'})
            for name in ("state", "page_token", "page_size", word):
                self.asks("GET", f"/v1/backups?{name}={word}")
            self.asks("PATCH", draft, json={word: word})
            self.asks("GET", draft, headers={"X-Request-Id": word.encode(), "Accept-Language": word.encode()})
            self.asks("GET", draft, token=f"{self._token}{self.phone}")
        host, _, port = self._platform.api_url.removeprefix("http://").partition(":")
        for line in (f"GET /{self.phone} {self.name}", f"{self.phone} / HTTP/1.1\r\n{self.email}"):
            with socket.create_connection((host, int(port))) as raw:
                raw.sendall(f"{line}\r\n\r\n".encode())
                self.refusals.append(("raw", repr(raw.recv(4096))))

    # --- lists ------------------------------------------------------------------------------------

    def uploads_lists(self, draft: str) -> None:
        """GSA-Human's run table with personal columns in every format, flawless and not."""
        for media_type, body in self._lists.accepted:
            saved = self._uploads(draft, media_type, body)
            assert saved.status_code == 201, media_type
            self.findings.append(saved.text)
            self._reads_findings(draft)
        for media_type, body in self._lists.refused:
            assert self._uploads(draft, media_type, body).status_code >= 400, media_type
        flawless = self._lists.flawless.encode()
        assert self._uploads(draft, "text/csv", flawless, etag='"0"').status_code == 412
        path, headers = f"{draft}/steps/data-files/manifests", {"Content-Type": "text/csv"}
        assert self.asks("POST", path, content=flawless, headers=headers).status_code == 428
        assert self._uploads(draft, "text/csv", flawless).status_code == 201

    def _uploads(self, draft: str, media_type: str, body: bytes, etag: str = "") -> httpx2.Response:
        headers = {"If-Match": etag or self._etag(draft, "data-files"), "Content-Type": media_type}
        return self.asks("POST", f"{draft}/steps/data-files/manifests", content=body, headers=headers)

    # --- the end, and failures ---------------------------------------------------------------------

    def attests_to_a_person(self, draft: str) -> None:
        """A repository's id that is none."""
        for word in (self.phone, self.name, self.cell):
            answer = self.asks("POST", f"{draft}/deposit-checks", json={"attested": word})
            assert answer.status_code >= 400, "only repositories attest deposits"

    def finishes(self, draft: str) -> None:
        """Submit, ask again, withdraw another."""
        self.asks("POST", f"{draft}/submission")
        self.asks("POST", f"{draft}/submission", headers={"Idempotency-Key": self.name.encode()})
        assert self.asks("POST", f"{draft}/withdrawal", json={self.phone: self.name}).status_code < 500
        assert self.saves(draft, "project", self.project).status_code == 409
        for path in ("/v1/backups", draft, f"{draft}/steps/data-files/data-files", "/v1/notices"):
            self.asks("GET", path)

    def amends_numbered_backups(self) -> None:
        """Say why in words that name a person; and in an address, where they are refused."""
        said = {"reason": f"{self.name}（{self.phone}，{self.email}）退出研究，样本 {self.cell}"}
        numbered = self.asks("GET", "/v1/backups?state=numbered").json()["backups"]
        assert numbered
        for backup in numbered:
            path = f"/v1/backups/{backup['id']}"
            assert self.asks("POST", f"{path}/corrections", json=said).status_code in (201, 409)
            assert self.asks("POST", f"{path}/number-withdrawal", json=said).status_code == 200
            assert self.asks("POST", f"{path}/corrections", json=said).status_code == 409
            assert (
                self.asks("POST", f"{path}/number-withdrawal", json={self.phone: self.name}).status_code
                == 422
            )
            assert self.name in self.asks("GET", f"{path}/versions").text, "who sees the backup sees why"

    def meets_failures(self, draft: str) -> None:
        """Activities that fail on a missing table, then a database that is away."""
        with failing_activities(self._platform):
            saved = self.saves(draft, "project", self.project)
        assert saved.status_code in (200, 202)
        with database_away(self._platform):
            for _ in range(2):
                answer = self.asks("POST", "/v1/backups", json={"step": "project", "content": self.project})
                assert answer.status_code == 503
        etag = self._etag(draft, "project")
        with connection_cut_in_activity(self._platform, UUID(draft.rpartition("/")[2])):
            self.asks("PUT", f"{draft}/steps/project", json=self.project, headers={"If-Match": etag})

    def _reads_findings(self, draft: str) -> None:
        answer = self.asks("GET", f"{draft}/findings?page_size=100")
        assert answer.status_code == 200
        self.findings.append(answer.text)

    def _etag(self, draft: str, step: str) -> str:
        return str(self.asks("GET", f"{draft}/steps/{step}").headers["ETag"])
