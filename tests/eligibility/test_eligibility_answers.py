"""What a system is told about a backup number, and how it can prove it later."""

import base64
import json
import os
import time
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from eligibility_desk import SOON, Desk, now
from http_deployment import INFORMATION, complete_draft, keyed
from http_deployment import number as numbered

from store.answer_keys import AnswerKeys, AnswerKeysError, rotate


@pytest.fixture(scope="module")
def number(desk: Desk) -> str:
    return desk.numbered("zhang")


def test_the_delegate_may_use_a_numbered_backup_and_nobody_else(desk: Desk, number: str) -> None:
    assert desk.fails("zhang", number) == []
    with desk.account("li") as li:
        li.get("/v1/backups")
    assert desk.fails("li", number) == ["delegate"]
    assert desk.fails("wang", number) == ["delegate", "real_name_verified", "unit_authorised"]


def test_before_it_was_numbered_it_could_not_be_used(desk: Desk, number: str) -> None:
    [(at,)] = desk.query("SELECT closed_at FROM backup WHERE number = %s", number)
    assert desk.fails("zhang", number, at) == []
    assert desk.fails("zhang", number, at - timedelta(microseconds=1)) == ["numbered"]


def test_an_unknown_number_is_an_answer(desk: Desk) -> None:
    with desk.account("zhang") as zhang:  # known, whichever test runs first
        zhang.get("/v1/backups").raise_for_status()
    said = desk.check("zhang", "BF2099010100001")
    assert not said["eligible"]
    assert [reason["rule_id"] for reason in said["reasons"]] == ["prior-report.numbered"]
    assert said["reasons"][0]["text"].startswith("There was no backup of this number")
    assert said["reasons"][0]["basis"][0]["article"] == "section 2"


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"backup_number": "BF 1"}, "number_malformed", "/backup_number"),
        ({"backup_number": ""}, "number_malformed", "/backup_number"),
        ({"backup_number": "9" * 65}, "number_malformed", "/backup_number"),
        ({"as_of": (now() + SOON).isoformat()}, "time_in_future", "/as_of"),
        ({"as_of": "2026-11-23T00:00:00"}, "invalid_field", "/as_of"),
        ({"as_of": "1999-01-01T00:00:00Z"}, "before_the_rules", None),
        ({"account": "张三"}, "invalid_field", "/account"),
    ],
)
def test_what_cannot_be_asked_is_told_alone_and_in_a_batch(
    desk: Desk, number: str, change: dict[str, Any], code: str, pointer: str | None
) -> None:
    good = desk.question("zhang", number)
    alone = desk.service.post("/v1/eligibility-checks", json=good | change)
    assert (alone.status_code, alone.json()["type"]) == (422, f"/problems/{code}")
    batch = {"checks": [good, good | change, good]}
    answers = desk.service.post("/v1/eligibility-checks/batches", json=batch).json()["answers"]
    assert [answer["answer"] is not None for answer in answers] == [True, False, True]
    problem = answers[1]["problem"]
    assert problem["type"] == f"/problems/{code}"
    for told in (problem, alone.json()):
        assert [place["pointer"] for place in told["errors"]] == ([pointer] if pointer else [])
        assert "张三" not in json.dumps(told, ensure_ascii=False)


def test_a_batch_answers_500_questions_in_their_order(desk: Desk, number: str) -> None:
    people = ["zhang", "li"] * 250
    with desk.account("li") as li:
        li.get("/v1/backups")
    checks = [desk.question(person, number) for person in people]
    answers = desk.service.post("/v1/eligibility-checks/batches", json={"checks": checks}).json()["answers"]
    assert [answer["answer"]["eligible"] for answer in answers] == [person == "zhang" for person in people]
    too_many = desk.service.post("/v1/eligibility-checks/batches", json={"checks": [*checks, checks[0]]})
    assert too_many.status_code == 422


def test_only_a_system_with_the_scope_may_ask(desk: Desk, number: str) -> None:
    question = desk.question("zhang", number)
    with desk.account("zhang") as zhang, desk.system("other", "openid") as other, desk.visitor() as nobody:
        assert zhang.post("/v1/eligibility-checks", json=question).status_code == 403
        assert other.post("/v1/eligibility-checks", json=question).status_code == 403
        assert nobody.post("/v1/eligibility-checks", json=question).status_code == 401


def verified(desk: Desk, jws: str) -> dict[str, Any]:
    """The payload of a JWS, its signature checked by the published key without any JOSE library."""
    header, payload, signature = jws.split(".")
    said = json.loads(_decoded(header))
    keys = httpx2.get(f"{desk.url}/.well-known/jwks.json").json()["keys"]
    [key] = [key for key in keys if key["kid"] == said["kid"]]
    assert (said["alg"], said["typ"], key["crv"]) == ("Ed25519", "eligibility+jws", "Ed25519")
    assert "d" not in key
    public = Ed25519PublicKey.from_public_bytes(_decoded(key["x"]))
    public.verify(_decoded(signature), f"{header}.{payload}".encode())
    answer: dict[str, Any] = json.loads(_decoded(payload))
    return answer


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_what_is_signed_is_the_answer(desk: Desk, number: str) -> None:
    said = desk.check("li", number)
    assert verified(desk, said.pop("jws")) == said
    assert said["release"]["digest"]


def test_equal_facts_have_equal_digests_and_others_have_others(desk: Desk, number: str) -> None:
    at = now()
    digests = [desk.check(person, number, at)["input_digest"] for person in ("zhang", "zhang", "li")]
    assert digests[0] == digests[1] != digests[2]


def test_a_rotated_key_signs_and_the_old_one_still_verifies(tmp_path: Any) -> None:
    path = tmp_path / "keys.json"
    first = rotate(path)
    second = rotate(path)
    keys = AnswerKeys.load(path)
    assert [key["kid"] for key in keys.published()] == [second, first]
    assert path.stat().st_mode & 0o077 == 0
    assert json.loads(_decoded(keys.sign(b"{}", "x").partition(".")[0]))["kid"] == second
    path.write_text('{"keys": [{"kty": "OKP", "crv": "X25519"}]}')
    with pytest.raises(AnswerKeysError):
        rotate(path)
    assert "X25519" in path.read_text()


def test_a_missing_security_review_is_pointed_out_and_stops_nothing(desk: Desk) -> None:
    reviewed = INFORMATION | {"security_review_number": "AQSC-2026-0001"}
    with desk.account("zhang") as zhang:
        backups = [complete_draft(zhang), complete_draft(zhang)]
        path = f"/v1/backups/{backups[1]}/steps/backup-information"
        assert zhang.put(path, json=reviewed, headers={"If-Match": '"1"'}).status_code == 200
        said = [desk.check("zhang", numbered(zhang, backup)) for backup in backups]
    assert [answer["eligible"] for answer in said] == [True, True]
    told = [[(reason["rule_id"], reason["severity"]) for reason in answer["reasons"]] for answer in said]
    assert told == [[("prior-report.security_reviewed", "advice")], []]


def test_a_system_that_asks_too_much_is_told_when_to_go_on_and_others_are_not_held_up(
    desk: Desk, number: str
) -> None:
    batch = {"checks": [desk.question("zhang", number)] * 500}
    with desk.system(f"busy-{os.urandom(4).hex()}") as busy:
        while (answer := busy.post("/v1/eligibility-checks/batches", json=batch)).status_code == 200:
            [(spent,)] = desk.query("SELECT max(spent) FROM service_quota")
            assert spent <= 6000
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.json()["type"] == "/problems/too_many_questions"
    assert desk.fails("zhang", number) == []


def test_an_authorisation_that_ended_counts_from_then_on(desk: Desk) -> None:
    number = desk.numbered("chen")
    used_at = now()
    time.sleep(1.1)  # a token names the second in which it was issued
    with desk.account("chen", unit_authorised=False) as chen:
        chen.post("/v1/me/sign-ins", headers=keyed())
    [(since, recorded)] = desk.query(
        "SELECT valid_from, recorded_at FROM account_standing WHERE account_id = %s AND NOT unit_authorised",
        desk.account_id("chen"),
    )
    assert since <= recorded
    assert desk.fails("chen", number) == ["unit_authorised"]
    assert desk.fails("chen", number, since) == ["unit_authorised"]
    assert desk.fails("chen", number, used_at) == []
