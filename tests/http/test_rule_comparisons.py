"""Comparisons of releases over HTTP: durable, with progress, and for those who may ask."""

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import psycopg
import pytest
from http_deployment import INFORMATION, PROJECT, Deployment, complete_draft, keyed, number, open_draft

from rules.engine.diff import diff
from rules.engine.release import Release
from store.database import connect, writing
from store.signers import DevelopmentSigners


@pytest.fixture(scope="module")
def candidate(deployment: Deployment, release: Release) -> Release:
    """A release that is only proposed: a security review is needed for fewer persons."""
    documents = json.loads(release.canonical())
    documents["rulebook"]["version"] = deployment.free_version()
    security = documents["requirements/security-review"]["rules"][0]
    changed = json.dumps(security).replace('"exclusiveMinimum": 500', '"exclusiveMinimum": 100')
    documents["requirements/security-review"]["rules"][0] = json.loads(changed)
    found = Release(documents)
    engine = connect(deployment.settings.database_url.get_secret_value(), pool_size=1)
    with writing(engine) as writer:
        DevelopmentSigners(deployment.settings.rule_signers).author.propose(writer, found)
    engine.dispose()
    return found


@pytest.fixture
def policy(deployment: Deployment) -> Iterator[httpx2.Client]:
    """Somebody of the policy team."""
    with deployment.account("operator", "en", roles=("policy",)) as account:
        yield account


def finished(account: httpx2.Client, address: str) -> dict[str, Any]:
    """The comparison, once it is over."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = account.get(address).raise_for_status()
        if found.json()["state"] != "RUNNING":
            assert "Retry-After" not in found.headers
            return dict(found.json())
        assert found.headers["Retry-After"]
        time.sleep(0.05)
    raise AssertionError("still running")


def test_anyone_signed_in_may_ask_what_changes_between_two_releases(
    deployment: Deployment, zhang: httpx2.Client, release: Release, candidate: Release
) -> None:
    key = str(uuid.uuid4())
    body = {"old": release.version, "new": candidate.digest[:12]}
    answer = zhang.post("/v1/rule-diffs", json=body, headers=keyed(key))
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == "RUNNING"
    address = answer.headers["Location"]
    assert address == f"/v1/rule-diffs/{answer.json()['id']}"
    found = finished(zhang, address)
    expected = diff(release, candidate)
    assert found["state"] == "SUCCEEDED"
    assert found["progress"] == {"done": expected.asked, "total": expected.asked}
    assert (found["old"]["digest"], found["new"]["version"]) == (release.digest, candidate.version)
    assert [change["sentence"] for change in found["result"]["changes"]] == [
        change.sentence.zh for change in expected.changes
    ]
    assert found["result"]["changes"]
    assert found["result"]["files"] == expected.files
    repeated = zhang.post("/v1/rule-diffs", json=body, headers=keyed(key))
    assert repeated.headers["Idempotency-Replayed"] == "true"
    assert repeated.json() == found
    other = zhang.post("/v1/rule-diffs", json=body | {"old": candidate.version}, headers=keyed(key))
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency_key_reused")
    with deployment.account("li") as li:
        assert li.get(address).status_code == 404


def test_a_comparison_waits_for_a_worker_and_its_asker_for_the_comparison(
    deployment: Deployment, release: Release, candidate: Release
) -> None:
    body = {"old": candidate.version, "new": release.version}
    deployment.stop_worker()
    try:
        with deployment.account("wang") as wang:
            asked = wang.post("/v1/rule-diffs", json=body, headers=keyed())
            second = wang.post("/v1/rule-diffs", json=body, headers=keyed())
    finally:
        deployment.start_worker()
    assert asked.json()["progress"] == {"done": 0, "total": None}
    assert (second.status_code, second.json()["type"]) == (429, "/problems/rate_limited")
    assert second.headers["Retry-After"]
    with deployment.account("wang") as wang:
        assert finished(wang, asked.headers["Location"])["state"] == "SUCCEEDED"
        assert wang.post("/v1/rule-diffs", json=body, headers=keyed()).status_code == 202


def test_a_request_that_never_reached_temporal_is_carried_out_when_it_is_repeated(
    deployment: Deployment, release: Release, candidate: Release
) -> None:
    class Away:
        async def start_workflow(self, *_: Any, **__: Any) -> None:
            raise ConnectionAbortedError

    platform = deployment.app.state.platform
    body, key = {"old": release.digest, "new": candidate.digest}, str(uuid.uuid4())
    with deployment.account("zhao") as zhao:
        deployment.app.state.platform = replace(platform, temporal=Away())
        try:
            assert zhao.post("/v1/rule-diffs", json=body, headers=keyed(key)).status_code == 500
        finally:
            deployment.app.state.platform = platform
        again = zhao.post("/v1/rule-diffs", json=body, headers=keyed(key))
        assert finished(zhao, again.headers["Location"])["state"] == "SUCCEEDED"


def test_the_policy_team_learns_by_id_what_a_release_would_change_of_submissions(
    deployment: Deployment, zhang: httpx2.Client, policy: httpx2.Client, candidate: Release
) -> None:
    sealed = complete_draft(zhang)
    number(zhang, sealed)
    draft = open_draft(zhang)
    path = f"/v1/backups/{draft}/steps/backup-information"
    many = INFORMATION | {"categories": ["wgs"], "individual_count": 400}
    assert zhang.put(path, json=many, headers={"If-Match": '"0"'}).status_code == 200
    asked = policy.post("/v1/rule-impacts", json={"candidate": candidate.version}, headers=keyed())
    assert asked.status_code == 202, asked.text
    address = asked.headers["Location"]
    found = finished(policy, address)
    assert found["state"] == "SUCCEEDED"
    counted = dict(
        deployment.query(
            "SELECT CASE state WHEN 'numbered' THEN 'numbered' ELSE 'open' END, count(*) FROM backup "
            "WHERE state IN ('numbered', 'draft', 'waiting_for_deposit') GROUP BY 1"
        )
    )
    assert {each["group"]: each["judged"] for each in found["sums"]} == counted
    assert found["progress"] == {"done": sum(counted.values()), "total": sum(counted.values())}
    assert "open drafts would change" in found["sums"][1]["sentence"]
    listed: list[dict[str, Any]] = []
    token: str | None = None
    while True:
        parameters: dict[str, Any] = {"page_size": 1, "group": "open"}
        parameters |= {"page_token": token} if token else {}
        page = policy.get(f"{address}/changes", params=parameters).json()
        listed += page["changes"]
        token = page["pagination"]["next_page_token"]
        if token is None:
            break
    mine = next(change for change in listed if change["backup_id"] == draft)
    assert mine["rules"] == ["security-review-500"]
    assert (mine["before"], mine["after"]) == ("refused", "refused")
    assert len(listed) == sum(found["sums"][1][name] for name in found["sums"][1] if "_" in name)
    answers = json.dumps([found, listed], ensure_ascii=False)
    assert PROJECT["title"] not in answers
    with deployment.account("chen", roles=("policy",)) as colleague:
        assert colleague.get(address).status_code == 404
        assert colleague.get(f"{address}/changes").status_code == 404


@pytest.mark.parametrize("roles", [("person",), ("person", "unit_administrator"), ("operator",)])
def test_what_was_submitted_is_the_policy_team_s_alone(
    deployment: Deployment, candidate: Release, roles: tuple[str, ...]
) -> None:
    with deployment.account("chen", roles=roles) as account:
        body = {"candidate": candidate.version}
        for answer in (
            account.post("/v1/rule-impacts", json=body, headers=keyed()),
            account.get(f"/v1/rule-impacts/{uuid.uuid4()}"),
            account.get(f"/v1/rule-impacts/{uuid.uuid4()}/changes"),
        ):
            assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not_allowed")


def test_a_release_that_was_altered_ends_the_comparison_with_its_problem(
    deployment: Deployment, policy: httpx2.Client, release: Release, candidate: Release
) -> None:
    documents = json.loads(candidate.canonical()) | {}
    documents["rulebook"]["version"] = deployment.free_version()
    forged = Release(documents)
    with psycopg.connect(deployment.database_url) as connection:
        connection.execute(
            "INSERT INTO rulebook_release (digest, version, canonical, published_at) "
            "VALUES (%s, %s, %s, now())",
            (forged.digest, forged.version, forged.canonical().replace(b"100", b"999")),
        )
    key = keyed()
    body = {"old": release.version, "new": forged.version}
    asked = policy.post("/v1/rule-diffs", json=body, headers=key)
    found = finished(policy, asked.headers["Location"])
    assert (found["state"], found["refused"], found["result"]) == ("REJECTED", "release_untrusted", None)
    again = policy.post("/v1/rule-diffs", json=body, headers=key)
    assert again.json()["type"] == "/problems/release_untrusted"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"old": "2026.1.99", "new": "2026.11.1"}, 422, "unknown_release"),
        ({"old": "2026.11.1", "new": "%"}, 422, "unknown_release"),
        ({"old": "2026.11.1", "new": "0" * 64}, 422, "unknown_release"),
        ({"old": "2026.11.1"}, 422, "invalid_field"),
        ({"old": "2026.11.1", "new": "x" * 65}, 422, "invalid_field"),
        ({"old": "2026.11.1", "new": "2026.11.1", "also": 1}, 422, "unknown_field"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused_where_it_makes_none(
    zhang: httpx2.Client, body: dict[str, Any], status: int, code: str
) -> None:
    answer = zhang.post("/v1/rule-diffs", json=body, headers=keyed())
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}"), answer.text
    if code == "unknown_release":
        assert [error["pointer"] for error in answer.json()["errors"]] == [
            "/new" if body["new"] != "2026.11.1" else "/old"
        ]


def test_a_comparison_wants_a_key_and_a_person_who_is_signed_in(
    deployment: Deployment, zhang: httpx2.Client
) -> None:
    body = {"old": "2026.11.1", "new": "2026.11.1"}
    assert zhang.post("/v1/rule-diffs", json=body).json()["type"] == "/problems/idempotency_key_missing"
    with deployment.visitor() as visitor:
        assert visitor.post("/v1/rule-diffs", json=body, headers=keyed()).status_code == 401
