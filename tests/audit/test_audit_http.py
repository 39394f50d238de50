"""The trail over HTTP: every act leaves its event, auditors read them, certificates prove them."""

import io
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx2
import pypdf
import pytest
from http_deployment import EXAMPLES, Deployment, complete_draft, keyed, number, open_draft
from joserfc.jwk import KeySet
from temporalio.client import Client
from temporalio.worker import Replayer

from api import commands
from audit.heads import key_set, read_head
from audit.proofs import ProofError, check
from schemas.http.audit import InclusionProof
from wire.plugin import WirePlugin
from workflows.tree_head import WORKFLOW_ID, TreeHead

PDF = {"Accept": "application/pdf"}
ADDRESSES = ("/v1/audit/events", "/v1/audit/heads", "/v1/audit/proofs/1")


def events(auditor: httpx2.Client, **query: Any) -> list[dict[str, Any]]:
    answer = auditor.get("/v1/audit/events", params=query)
    assert answer.status_code == 200, answer.text
    listed: list[dict[str, Any]] = answer.json()["events"]
    return [each["event"] for each in listed]


def certificate(account: httpx2.Client, backup: str) -> dict[str, Any]:
    answer = account.get(f"/v1/backups/{backup}/certificate")
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def test_every_change_of_a_backup_leaves_one_event_with_who_did_it_and_what_came_of_it(
    zhang: httpx2.Client, auditor: httpx2.Client
) -> None:
    backup = complete_draft(zhang)
    got = number(zhang, backup)
    refused = zhang.post(f"/v1/backups/{backup}/submission", headers=keyed())
    assert refused.status_code == 409
    told = events(auditor, case_id=backup)[::-1]
    assert [event["act"] for event in told] == ["save_step"] * 3 + ["submit"] * 2
    account = zhang.post("/v1/me/sign-ins", headers=keyed()).json()["account_id"]
    assert {(event["actor_kind"], event["actor_id"], event["case_kind"]) for event in told} == {
        ("person", account, "backup")
    }
    assert told[3]["facts"]["outcome"]["verdict"]["number"] == got
    assert told[4]["facts"]["outcome"]["refused"] == "backup_closed"
    for personal in ("张示例", "15400000002", "肺癌"):
        assert personal not in str(told)


def test_a_repeated_request_leaves_no_second_event(zhang: httpx2.Client, auditor: httpx2.Client) -> None:
    backup = open_draft(zhang)
    key = keyed()
    for _ in range(3):
        assert zhang.post(f"/v1/backups/{backup}/withdrawal", headers=key).status_code in (200, 204)
    assert [event["act"] for event in events(auditor, case_id=backup)] == ["withdrawn", "save_step"]


def test_events_are_filtered_by_case_actor_act_and_time_and_paged_without_gaps(
    zhang: httpx2.Client, auditor: httpx2.Client
) -> None:
    backup = complete_draft(zhang)
    account = events(auditor, case_id=backup)[0]["actor_id"]
    everything = events(auditor, page_size=1000)
    assert [event["id"] for event in everything] == sorted((e["id"] for e in everything), reverse=True)
    by_account = [event for event in everything if event["actor_id"] == account]
    assert events(auditor, actor_id=account, page_size=1000) == by_account
    saves = [event for event in everything if event["act"] == "save_step"]
    assert events(auditor, act="save_step", page_size=1000) == saves
    middle = everything[len(everything) // 2]["at"]
    later = [event for event in everything if event["at"] >= middle]
    assert events(auditor, at_from=middle, page_size=1000) == later
    assert events(auditor, at_before=middle, page_size=1000) == everything[len(later) :]
    assert events(auditor, case_id=str(uuid.uuid4())) == []
    paged: list[dict[str, Any]] = []
    token: str | None = None
    while token is not None or not paged:
        query = {"page_size": 7} | ({"page_token": token} if token else {})
        page = auditor.get("/v1/audit/events", params=query).json()
        paged += [each["event"] for each in page["events"]]
        token = page["pagination"]["next_page_token"]
    assert paged == everything


def test_only_auditors_read_and_none_who_also_acts(office: Deployment) -> None:
    for roles in (("person",), ("operator",), ("policy",), ("auditor", "operator"), ("auditor", "policy")):
        with office.account("li", roles=roles) as account:
            for address in ADDRESSES:
                answer = account.get(address)
                assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not_allowed"), roles
    with office.visitor() as visitor:
        assert {visitor.get(address).status_code for address in ADDRESSES} == {401}


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/v1/audit/events?case_id=1", 422),
        ("/v1/audit/events?act=DROP%20TABLE", 422),
        ("/v1/audit/events?at_from=yesterday", 422),
        ("/v1/audit/events?page_token=AAAA", 400),
        ("/v1/audit/events?page_size=0", 422),
        ("/v1/audit/heads?page_token=AAAA", 400),
        ("/v1/audit/proofs/x", 422),
        ("/v1/audit/proofs/-1", 422),
        ("/v1/audit/proofs/99999999999999999999", 422),
        ("/v1/audit/proofs/999999999", 404),
    ],
)
def test_what_makes_no_sense_is_refused(auditor: httpx2.Client, address: str, status: int) -> None:
    answer = auditor.get(address)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_certificate_proves_that_its_submission_is_in_the_trail_to_anyone_with_the_public_keys(
    office: Deployment, zhang: httpx2.Client, auditor: httpx2.Client
) -> None:
    backup = complete_draft(zhang)
    got = number(zhang, backup)
    said = certificate(zhang, backup)  # a second after: no hourly head can be over it yet
    proof = InclusionProof.model_validate(said["audit"])
    assert proof.event.facts["outcome"]["verdict"]["number"] == got
    with office.visitor() as anyone:
        public = key_set(anyone.get("/.well-known/jwks.json").json())
    head = check(proof, public)
    assert head.size > proof.seq
    with pytest.raises(ProofError):
        check(proof.model_copy(update={"seq": proof.seq + 1}), public)
    assert auditor.get(f"/v1/audit/proofs/{proof.event.id}").json() == said["audit"]
    heads = auditor.get("/v1/audit/heads").json()["heads"]
    assert proof.head in {each["jws"] for each in heads}
    assert {read_head(each["jws"], public).size for each in heads} == {each["size"] for each in heads}


def test_a_certificate_stays_the_same_while_the_trail_grows(
    zhang: httpx2.Client, auditor: httpx2.Client, public: KeySet
) -> None:
    first, second = complete_draft(zhang), complete_draft(zhang)
    number(zhang, first)
    before = certificate(zhang, first)
    pdf = zhang.get(f"/v1/backups/{first}/certificate", headers=PDF).content
    number(zhang, second)
    certificate(zhang, second)  # signs another head
    assert certificate(zhang, first) == before
    assert zhang.get(f"/v1/backups/{first}/certificate", headers=PDF).content == pdf
    (page,) = ("".join(page.extract_text().split()) for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)
    assert before["audit"]["root"] in page
    assert f"{before['audit']['seq']}/{before['audit']['size']}" in page
    issued = [event for event in events(auditor, case_id=first) if event["act"] == "certificate"]
    assert len(issued) == 1
    assert check(InclusionProof.model_validate(before["audit"]), public).size == before["audit"]["size"]


def test_the_certificate_of_a_corrected_backup_proves_its_correction(
    zhang: httpx2.Client, public: KeySet
) -> None:
    backup = complete_draft(zhang)
    got = number(zhang, backup)
    first = InclusionProof.model_validate(certificate(zhang, backup)["audit"])
    asked = zhang.post(f"/v1/backups/{backup}/corrections", json={"reason": "补录"}, headers=keyed())
    draft = asked.json()["backup_id"]
    assert number(zhang, draft) == got
    second = InclusionProof.model_validate(certificate(zhang, backup)["audit"])
    assert (str(first.event.case_id), str(second.event.case_id)) == (backup, draft)
    assert second.event.facts["outcome"]["verdict"]["number"] == got
    assert check(second, public).size > check(first, public).size


def test_certificates_asked_for_at_once_are_all_proven(zhang: httpx2.Client, public: KeySet) -> None:
    backups = [complete_draft(zhang) for _ in range(4)]
    for backup in backups:
        number(zhang, backup)
    with ThreadPoolExecutor(4) as threads:
        for said in threads.map(lambda backup: certificate(zhang, backup), backups):
            check(InclusionProof.model_validate(said["audit"]), public)


def test_while_no_worker_runs_a_certificate_without_its_proof_is_not_given_out(
    office: Deployment, zhang: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = complete_draft(zhang)
    number(zhang, backup)
    monkeypatch.setattr(commands, "DONE", timedelta(seconds=0.2))
    office.stop_worker()
    try:
        for headers in ({}, PDF):
            answer = zhang.get(f"/v1/backups/{backup}/certificate", headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/waiting_for_platform")
            assert answer.headers["Retry-After"]
    finally:
        office.start_worker()
    monkeypatch.undo()
    assert certificate(zhang, backup)["audit"]["event"]["case_id"] == backup


async def test_the_signing_of_a_head_replays(
    zhang: httpx2.Client, client: Client, wire_plugin: WirePlugin
) -> None:
    backup = complete_draft(zhang)
    number(zhang, backup)
    certificate(zhang, backup)
    history = await client.get_workflow_handle(WORKFLOW_ID).fetch_history()
    await Replayer(workflows=[TreeHead], plugins=[wire_plugin]).replay_workflow(history)


def test_the_events_of_examples_name_no_file(zhang: httpx2.Client, auditor: httpx2.Client) -> None:
    name = (EXAMPLES / "file-list.csv").read_text("utf-8").splitlines()[1].split(",")[0]
    assert len(name) > 3
    assert name not in str(events(auditor, page_size=1000))
