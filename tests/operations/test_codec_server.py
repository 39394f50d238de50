"""The codec server, asked as the Web UI and the temporal command ask it."""

import base64
import json
from typing import Any

import httpx2
import pytest
from codec_stage import UI, CodecStage, database_away
from http_deployment import PROJECT, Deployment, open_draft

Numbered = tuple[str, str]


def documents(answer: httpx2.Response) -> list[Any]:
    """The JSON of each payload of an answer."""
    assert answer.status_code == 200, answer.text
    return [json.loads(base64.b64decode(payload["data"]) or "null") for payload in answer.json()["payloads"]]


def changed(payload: dict[str, Any], **changes: str) -> dict[str, Any]:
    return {**payload, **changes}


def test_operators_see_structure_states_and_counts_but_no_whole_id(
    codec: CodecStage, numbered: Numbered
) -> None:
    backup, number = numbered
    asked = {"payloads": codec.payloads(backup)}
    answer = codec.post("/ops/decode?preserveStorageRefs=true", asked, codec.token("operator"))
    shown = documents(answer)
    text = json.dumps(shown, ensure_ascii=False)
    assert number in text
    assert '"step": "project"' in text
    assert f'"backup_id": "{backup[:8]}…"' in text
    assert backup not in text
    assert answer.headers["access-control-allow-origin"] == UI


def test_auditors_see_the_granted_workflow_in_the_clear_and_nothing_of_another(
    codec: CodecStage, numbered: Numbered, zhang: httpx2.Client
) -> None:
    backup, _ = numbered
    other = open_draft(zhang, PROJECT)
    own, foreign = codec.payloads(backup), codec.payloads(other)
    reason = "工单 HG-77：申请人询问编号时间"
    before = len(codec.audited("decoded"))
    answer = codec.post("/audit/decode", {"payloads": [*own, *foreign]}, codec.granted(backup, reason))
    shown = documents(answer)
    assert backup in json.dumps(shown[: len(own)])
    assert set(shown[len(own) :]) == {"＊＊＊"}
    assert other not in answer.text
    assert codec.audited("decoded")[before:] == [
        ("auditor", f"backup-{backup}", reason, {"shown": len(own), "withheld": len(foreign)})
    ]


def test_a_browser_is_known_by_its_cookie_in_its_own_room_only(codec: CodecStage, numbered: Numbered) -> None:
    payloads = {"payloads": codec.payloads(numbered[0])}
    granted = codec.post("/ops/grants", {}, codec.token("operator"))
    kept = granted.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/ops"} <= set(kept.split("; "))
    cookie = kept.partition(";")[0]
    assert codec.post("/ops/decode", payloads, Cookie=cookie).status_code == 200
    name, _, token = cookie.partition("=")
    moved = codec.post("/audit/decode", payloads, Cookie=f"{name.replace('ops', 'audit')}={token}")
    assert moved.status_code == 401
    assert granted.headers["access-control-allow-credentials"] == "true"


def test_other_origins_get_no_leave_from_browsers(codec: CodecStage) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-namespace"}
    for origin, allowed in ((UI, True), ("https://elsewhere.example", False)):
        answer = httpx2.options(f"{codec.url}/ops/decode", headers={"Origin": origin, **asked})
        assert ("access-control-allow-origin" in answer.headers) is allowed


@pytest.mark.parametrize("room", ["ops", "audit"])
def test_the_temporal_command_shows_a_history_through_either_room(
    codec: CodecStage, numbered: Numbered, room: str
) -> None:
    backup, number = numbered
    credential = codec.token("operator") if room == "ops" else codec.granted(backup)
    shown = codec.show(backup, room, credential)
    assert number in shown
    assert "binary/encrypted" not in shown
    assert (f"{backup[:8]}…" in shown) is (room == "ops")


ROLES: list[tuple[str, tuple[Any, ...], int]] = [
    ("/ops/decode", ("auditor",), 403),
    ("/ops/decode", ("person",), 403),
    ("/ops/decode", ("operator", "auditor"), 403),
    ("/audit/decode", ("auditor",), 403),  # a grant is missing
    ("/audit/decode", ("operator",), 403),
    ("/ops/encode", ("operator",), 403),
    ("/audit/encode", ("auditor",), 403),
]


@pytest.mark.parametrize(("path", "roles", "status"), ROLES)
def test_each_room_is_for_one_role_and_none_encodes(
    codec: CodecStage, numbered: Numbered, path: str, roles: tuple[Any, ...], status: int
) -> None:
    before = len(codec.audited("decode_refused"))
    answer = codec.post(path, {"payloads": codec.payloads(numbered[0])}, codec.token(*roles))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert len(codec.audited("decode_refused")) == before + 1


def bad_requests(payload: dict[str, Any]) -> dict[str, tuple[Any, int]]:
    """Name → body and status."""
    metadata = payload["metadata"]
    forged = {**metadata, "encryption-key-id": base64.b64encode(b"k99").decode()}
    sealed = base64.b64decode(payload["data"])
    cut = base64.b64encode(sealed[:-1]).decode()
    many = {"payloads": [payload] * 10_000}
    return {
        "unknown key id": ({"payloads": [{**payload, "metadata": forged}]}, 422),
        "changed": ({"payloads": [changed(payload, data=base64.b64encode(sealed[::-1]).decode())]}, 422),
        "cut": ({"payloads": [changed(payload, data=cut)]}, 422),
        "broken base64": ({"payloads": [changed(payload, data="13812345678!")]}, 422),
        "no base64": ({"payloads": [changed(payload, data="")]}, 422),
        "10 MB": (json.dumps({"payloads": [changed(payload, data="A" * 10_000_000)]}).encode(), 413),
        "10,000 payloads": (many, 413),
        "10,000 empty payloads": ({"payloads": [{}] * 10_000}, 422),
        "not JSON": (b"\x00\x01 13812345678", 400),
        "not an object": ([payload], 422),
        "deep": (b"[" * 5_000, 400),
    }


def test_bad_input_is_refused_in_words_and_recorded(codec: CodecStage, numbered: Numbered) -> None:
    token, payload = codec.token("operator"), codec.payloads(numbered[0])[0]
    for name, (body, status) in bad_requests(payload).items():
        before = codec.audited("decode_refused")
        answer = codec.post("/ops/decode", body, token)
        assert answer.status_code == status, (name, answer.text)
        problem = answer.json()
        assert problem["title"], name
        assert problem["detail"], name
        assert "13812345678" not in answer.text
        (new,) = codec.audited("decode_refused")[len(before) :]
        assert new[3] == {"code": problem["type"].rpartition("/")[2], "room": "ops"}, name
    assert codec.post("/ops/decode", {"payloads": [payload]}, token).status_code == 200


def test_another_namespace_a_stranger_and_an_old_grant_see_nothing(
    codec: CodecStage, numbered: Numbered, plant: Deployment
) -> None:
    body = {"payloads": codec.payloads(numbered[0])}
    for namespace in ("default", ""):
        answer = codec.post("/ops/decode", body, codec.token("operator"), **{"X-Namespace": namespace})
        assert answer.json()["type"] == "/problems/wrong_namespace"
    before = len(codec.audited("decode_refused"))
    for credential in ("", "grant.AAAA", "grant.", f"{codec.granted(numbered[0])}AAAA", "x.y.z"):
        for room in ("ops", "audit"):
            assert codec.post(f"/{room}/decode", body, credential).status_code == 401
    assert len(codec.audited("decode_refused")) == before, "strangers cannot fill the audit trail"


@pytest.mark.parametrize(
    ("workflow", "reason", "status"),
    [
        ("backup-00000000-0000-7000-8000-000000000000", "工单 HG-52", 404),
        ("张三", "工单 HG-52", 422),
        ("numbered", "核对 13812345678 的备份", 422),
        ("numbered", "", 422),
    ],
)
def test_a_grant_needs_a_workflow_that_is_there_and_a_reason_without_numbers(
    codec: CodecStage, numbered: Numbered, workflow: str, reason: str, status: int
) -> None:
    workflow = f"backup-{numbered[0]}" if workflow == "numbered" else workflow
    asked = {"workflow_id": workflow, "reason": reason}
    assert codec.post("/audit/grants", asked, codec.token("auditor")).status_code == status


def test_what_cannot_be_recorded_is_not_shown_and_operators_go_on_reading_without_the_database(
    codec: CodecStage, numbered: Numbered, plant: Deployment
) -> None:
    body, grant = {"payloads": codec.payloads(numbered[0])}, codec.granted(numbered[0])
    assert codec.post("/audit/decode", body, grant).status_code == 200
    with database_away(plant):
        refused = codec.post("/audit/decode", body, grant)
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/database_unavailable")
        assert codec.post("/ops/decode", body, codec.token("operator")).status_code == 200
