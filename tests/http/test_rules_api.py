"""The rulebook over HTTP: what is in force, proven; and dry runs that leave no trace."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import httpx2
import pytest
from http_deployment import EXAMPLES, INFORMATION, PROJECT, Deployment, open_draft, upload

from rules.engine.acts import SignedAct, verify
from rules.engine.judge import Judge
from rules.engine.receipt import Receipt, receipt
from rules.engine.release import Release
from rules.engine.signing import Signers, canonical

RULE = "wgs.raw.repository"


@pytest.fixture
def visitor(deployment: Deployment) -> Iterator[httpx2.Client]:
    """Somebody who is not signed in: the rules are public."""
    with deployment.visitor({"Accept-Language": "en"}) as visitor:
        yield visitor


@pytest.fixture(scope="module")
def second(deployment: Deployment, release: Release) -> Iterator[Release]:
    """A later release in which one rule is worded anew, in force for this module."""
    documents = json.loads(release.canonical())
    documents["rulebook"]["version"] = deployment.free_version()
    documents["categories/wgs"]["data_types"]["raw"]["title"] = {"zh": "下机数据", "en": "run data"}
    later = Release(documents)
    deployment.publish(later)
    yield later
    deployment.restore(release)


def test_the_matrix_is_that_of_the_release_in_force(visitor: httpx2.Client, second: Release) -> None:
    matrix = visitor.get("/v1/rules/matrix").json()
    assert matrix["judged_by"] == {"version": second.version, "digest": second.digest}
    assert len(matrix["cells"]) == len(second.cells)
    raw = next(cell for cell in matrix["cells"] if (cell["category"], cell["data_type"]) == ("wgs", "raw"))
    assert (raw["title"], raw["repositories"]) == ("run data", ["gsa-human"])
    there = next(entry for entry in matrix["repositories"] if entry["id"] == "gsa-human")
    assert "BAM" in str(there["formats"]["raw"]).upper()
    assert "@" in there["contact"]["email"]


def test_anyone_can_prove_a_release_from_what_the_api_tells_of_it(
    deployment: Deployment, visitor: httpx2.Client, release: Release, second: Release
) -> None:
    listed = visitor.get("/v1/rules/releases").json()["releases"]
    by_digest = {entry["digest"]: entry for entry in listed}
    assert by_digest[second.digest]["status"] == "in_force"
    assert by_digest[release.digest]["status"] == "superseded"
    assert [entry["status"] for entry in listed].count("in_force") == 1
    shown = visitor.get(f"/v1/rules/releases/{second.digest}").json()
    content = canonical(shown["documents"])
    assert hashlib.sha256(content).hexdigest() == second.digest
    about = {"release": shown["digest"], "version": shown["version"]}
    acts = [SignedAct.from_json({**act, **about}) for act in shown["acts"]]
    assert [signed.act.kind for signed in acts] == ["propose", "approve", "schedule"]
    verify(content, second.digest, acts, Signers.load(deployment.settings.rule_signers))


def test_a_rule_tells_its_text_its_basis_and_its_history(
    visitor: httpx2.Client, release: Release, second: Release
) -> None:
    rule = visitor.get(f"/v1/rules/{RULE}").json()
    assert rule["message"] == second.rules[RULE].message.en
    assert rule["basis"][0]["article"]
    assert rule["basis"][0]["in_force"] >= "2019"
    assert rule["require"] == second.rules[RULE].require
    assert rule["history"][0]["change"] == "added"
    assert rule["history"][0]["release"]["digest"] == release.digest
    assert rule["history"][-1] == {
        "release": {"version": second.version, "digest": second.digest},
        "effective_from": rule["history"][-1]["effective_from"],
        "change": "changed",
    }


@pytest.mark.parametrize(
    "path",
    ["/v1/rules/no.such.rule", f"/v1/rules/releases/{'0' * 64}", "/v1/rules/releases/x", "/v1/rules/%00"],
)
def test_what_is_not_there_is_not_found(visitor: httpx2.Client, path: str) -> None:
    answer = visitor.get(path)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not_found")


def traces(deployment: Deployment) -> list[tuple[str, int]]:
    """Rows in every table."""
    tables = deployment.query(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
    )
    return [(name, deployment.query(f'SELECT count(*) FROM "{name}"')[0][0]) for (name,) in tables]


def test_a_dry_run_of_records_says_what_a_save_would_say_and_leaves_no_trace(
    deployment: Deployment, zhang: httpx2.Client, second: Release
) -> None:
    faulty = INFORMATION | {"sample_count": -1}
    draft = open_draft(zhang)
    path = f"/v1/backups/{draft}/steps/backup-information"
    saved = zhang.put(path, json=faulty, headers={"If-Match": '"0"'}).json()
    before = traces(deployment)
    body = {"subject": "backup-information", "records": [INFORMATION, faulty]}
    answer = zhang.post("/v1/rule-evaluations", json=body).json()
    assert answer["judged_by"]["digest"] == second.digest
    assert [result["verdict"] for result in answer["results"]] == ["accepted", "refused"]
    assert answer["results"][1]["remarks"] == [remark | {"step": None} for remark in saved["remarks"]]
    assert traces(deployment) == before


def test_the_same_record_under_the_same_release_gets_the_same_receipt_whatever_the_order_of_its_keys(
    zhang: httpx2.Client, second: Release
) -> None:
    faulty = INFORMATION | {"sample_count": -1}
    records = [faulty, dict(reversed(faulty.items())), INFORMATION]
    body = {"subject": "backup-information", "records": records}
    answer = zhang.post("/v1/rule-evaluations", json=body, headers={"Accept-Language": "en"}).json()
    first, turned, other = (result["receipt"] for result in answer["results"])
    assert first == turned
    assert first["digest"] != other["digest"]
    assert (first["release"], first["verdict"], other["verdict"]) == (second.digest, "refused", "accepted")
    assert {"rule": "backup-information.sample_count.minimum", "pointer": "/sample_count", "times": 1} in (
        first["remarks"]
    )
    assert first == _account(receipt(Judge(second), "backup-information", faulty))


def _account(account: Receipt) -> dict[str, Any]:
    return asdict(account) | {
        "digest": account.digest,
        "remarks": [remark._asdict() for remark in account.remarks],
    }


@pytest.mark.parametrize("name", ["file-list.csv", "file-list-with-faults.csv", "file-list.xlsx"])
def test_a_dry_run_of_a_list_says_what_its_upload_would_say_and_leaves_no_trace(
    deployment: Deployment, zhang: httpx2.Client, second: Release, name: str
) -> None:
    kind = "text/csv" if name.endswith("csv") else (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    )  # fmt: skip
    content = (EXAMPLES / name).read_bytes()
    draft = open_draft(zhang)
    saved = upload(zhang, draft, content, media_type=kind).json()
    listed = zhang.get(f"/v1/backups/{draft}/findings", params={"step": "data-files"}).json()["findings"]
    before = traces(deployment)
    answer = zhang.post(
        "/v1/rule-evaluations/steps/data-files/manifests", content=content, headers={"Content-Type": kind}
    ).json()
    assert answer["findings"] == saved["findings"]
    assert answer["remarks"] == listed
    assert answer["verdict"] == ("refused" if "faults" in name else "accepted")
    assert (answer["rows"], answer["complete"]) == (saved["manifest"]["rows"], True)
    assert traces(deployment) == before


def _records(**changes: Any) -> Callable[[httpx2.Client], httpx2.Response]:
    body = {"subject": "project", "records": [PROJECT]} | changes
    return lambda account: account.post("/v1/rule-evaluations", json=body)


def _list(content: bytes, kind: str, step: str = "data-files") -> Callable[[httpx2.Client], httpx2.Response]:
    path = f"/v1/rule-evaluations/steps/{step}/manifests"
    return lambda account: account.post(path, content=content, headers={"Content-Type": kind})


@pytest.mark.parametrize(
    ("ask", "status", "code"),
    [
        (_records(subject="person"), 422, "invalid_field"),
        (_records(records=[]), 422, "invalid_field"),
        (_records(records=[{}] * 10_001), 422, "invalid_field"),
        (_records(records=[7]), 422, "invalid_field"),
        (_records(dry=True), 422, "unknown_field"),
        (_list(b"file_name\nA.bam\n", "text/plain"), 415, "unsupported_media_type"),
        (_list(b"\x00\x01", "text/csv"), 422, "unreadable_manifest"),
        (_list(b"a\n1\n", "text/csv"), 422, "unreadable_manifest"),
        (_list(b"file_name\nA.bam\n", "text/csv", "project"), 409, "wrong_step_kind"),
        (_list(b"file_name\nA.bam\n", "text/csv", "nothing"), 404, "unknown_step"),
    ],
)
def test_a_dry_run_that_makes_no_sense_is_refused(
    zhang: httpx2.Client, ask: Callable[[httpx2.Client], httpx2.Response], status: int, code: str
) -> None:
    answer = ask(zhang)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}"), answer.text


def test_a_dry_run_is_for_those_who_are_signed_in(visitor: httpx2.Client) -> None:
    assert _records()(visitor).status_code == 401
    assert _list(b"file_name\nA.bam\n", "text/csv")(visitor).status_code == 401


def test_a_list_with_more_faults_than_are_shown_says_so(zhang: httpx2.Client) -> None:
    rows = "".join(f"a{n}.fq.gz,nowhere\n" for n in range(1200))
    answer = _list(f"file_name,repository\n{rows}".encode(), "text/csv")(zhang).json()
    assert (len(answer["remarks"]), answer["complete"], answer["verdict"]) == (1000, False, "refused")
    assert answer["findings"]["errors"] >= 1200
