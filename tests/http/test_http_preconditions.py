"""What keeps changes from being lost or done twice: ETag and If-Match, Idempotency-Key."""

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx2
import pytest
from http_deployment import (
    EXAMPLES,
    INFORMATION,
    PROJECT,
    Deployment,
    complete_draft,
    keyed,
    open_draft,
    upload,
)

LIST = (EXAMPLES / "file-list.csv").read_bytes()
OTHER = {"title": "另一个标题"}
REPEATED = 20


@pytest.fixture
def draft(zhang: httpx2.Client) -> str:
    return open_draft(zhang)


@pytest.mark.parametrize("headers", [{}, {"If-Match": ""}], ids=["missing", "empty"])
def test_a_save_that_does_not_say_what_it_replaces_is_asked_to(
    zhang: httpx2.Client, draft: str, headers: dict[str, str]
) -> None:
    path = f"/v1/backups/{draft}/steps/project"
    list_path = f"/v1/backups/{draft}/steps/data-files/manifests"
    of_list = headers | keyed() | {"Content-Type": "text/csv"}
    for refused in (
        zhang.put(path, json=OTHER, headers=headers),
        zhang.post(list_path, content=LIST, headers=of_list),
    ):
        assert (refused.status_code, refused.json()["type"]) == (428, "/problems/precondition_required")
    assert zhang.get(path).json()["content"] == PROJECT


@pytest.mark.parametrize(
    "if_match",
    ['"0"', "0", '"2"', '"999999999"', '"99999999999999999999"', '"-1"', '"1.0"', 'W/"1"', "*", '"1", "2"',
     '"abc"', "'1'", '"13800138000 张三"'.encode()],
    ids=str,
)  # fmt: skip
def test_a_save_over_anything_but_the_present_etag_gets_what_is_saved_now(
    deployment: Deployment, zhang: httpx2.Client, draft: str, if_match: str | bytes
) -> None:
    path = f"/v1/backups/{draft}/steps/project"
    stored = deployment.query("SELECT count(*) FROM form_content")
    refused = zhang.put(path, json=OTHER, headers=raw("If-Match", if_match))
    assert (refused.status_code, refused.json()["type"]) == (412, "/problems/stale_revision")
    assert refused.headers["Content-Type"] == "application/problem+json"
    now = zhang.get(path)
    assert refused.headers["ETag"] == now.headers["ETag"] == '"1"'
    assert (refused.json()["revision"], refused.json()["current"]) == (1, now.json())
    assert "13800138000" not in refused.text
    assert deployment.query("SELECT count(*) FROM form_content") == stored
    merged = zhang.put(path, json=OTHER, headers={"If-Match": refused.headers["ETag"]})
    assert (merged.status_code, merged.headers["ETag"]) == (200, '"2"')


def test_a_save_refused_for_a_revision_to_come_succeeds_when_it_has_come(
    zhang: httpx2.Client, draft: str
) -> None:
    path = f"/v1/backups/{draft}/steps/project"
    assert zhang.put(path, json=OTHER, headers={"If-Match": '"2"'}).status_code == 412
    assert zhang.put(path, json=PROJECT, headers={"If-Match": '"1"'}).status_code == 200
    assert zhang.put(path, json=OTHER, headers={"If-Match": '"2"'}).json()["revision"] == 3


def test_of_saves_at_once_over_one_revision_one_wins_and_the_others_see_it(
    zhang: httpx2.Client, draft: str
) -> None:
    path = f"/v1/backups/{draft}/steps/project"
    save = partial(zhang.put, path, headers={"If-Match": '"1"'})
    answers = at_once([partial(save, json={"title": letter}) for letter in "abcdefgh"])
    won = [answer for answer in answers if answer.status_code == 200]
    lost = [answer for answer in answers if answer.status_code == 412]
    assert (len(won), len(lost)) == (1, len(answers) - 1)
    content = zhang.get(path).json()["content"]
    assert {answer.json()["current"]["content"]["title"] for answer in lost} == {content["title"]}


def test_a_stale_list_leaves_nothing_behind(deployment: Deployment, zhang: httpx2.Client, draft: str) -> None:
    saved = upload(zhang, draft, LIST)
    before = deployment.query("SELECT count(*) FROM manifest_row")
    stale = upload(zhang, draft, b"file_name\nnew.bam\n", revision=0)
    assert (stale.status_code, stale.headers["ETag"]) == (412, '"1"')
    assert stale.json()["current"]["manifest"] == saved.json()["manifest"]
    assert deployment.query("SELECT count(*) FROM manifest_row") == before


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (None, "idempotency_key_missing"),
        ("", "idempotency_key_missing"),
        ("张三 13800138000".encode(), "idempotency_key_invalid"),
        ("1", "idempotency_key_invalid"),
        (f"{uuid.uuid4()}0", "idempotency_key_invalid"),
        ("0" * 5000, "idempotency_key_invalid"),
    ],
    ids=["missing", "empty", "a person", "short", "long", "very long"],
)
def test_a_post_without_a_proper_key_is_refused_and_does_nothing(
    zhang: httpx2.Client, draft: str, key: str | bytes | None, problem: str
) -> None:
    for path in every_post(draft):
        headers = {} if key is None else raw("Idempotency-Key", key)
        refused = zhang.post(path, headers=headers, **body_of(path))
        assert (refused.status_code, refused.json()["type"]) == (400, f"/problems/{problem}"), path
        assert "13800138000" not in refused.text
    assert zhang.get(f"/v1/backups/{draft}").json()["state"] == "draft"


def test_a_key_used_with_other_content_is_refused(zhang: httpx2.Client) -> None:
    headers = keyed()
    creation = {"step": "project", "content": PROJECT}
    created = zhang.post("/v1/backups", json=creation, headers=headers)
    backup = created.json()["backup_id"]
    other_list = keyed(revision=0) | {"Content-Type": "text/csv"}
    upload_path = f"/v1/backups/{backup}/steps/data-files/manifests"
    assert zhang.post(upload_path, content=LIST, headers=other_list).status_code == 201
    for refused in (
        zhang.post("/v1/backups", json=creation | {"content": OTHER}, headers=headers),
        zhang.post(f"/v1/backups/{backup}/submission", headers=headers),
        zhang.post(f"/v1/backups/{backup}/withdrawal", headers=headers),
        zhang.post(f"/v1/backups/{backup}/deposit-checks", json={}, headers=headers),
        zhang.post(upload_path, content=b"file_name\nother.bam\n", headers=other_list),
    ):
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/idempotency_key_reused")
    assert zhang.get(f"/v1/backups/{backup}").json()["state"] == "draft"


def test_every_change_repeated_gets_its_first_answer_also_after_the_backup_is_closed(
    zhang: httpx2.Client,
) -> None:
    creation, listing, submission = keyed(), keyed(), keyed()
    checks = keyed()
    first = zhang.post("/v1/backups", json={"step": "project", "content": PROJECT}, headers=creation)
    backup = first.json()["backup_id"]
    form = f"/v1/backups/{backup}/steps/backup-information"
    changes: list[Callable[[], httpx2.Response]] = [
        lambda: zhang.post("/v1/backups", json={"step": "project", "content": PROJECT}, headers=creation),
        lambda: zhang.put(form, json=INFORMATION, headers={"If-Match": '"0"'}),
        lambda: upload(zhang, backup, LIST, key=listing["Idempotency-Key"]),
        lambda: zhang.post(f"/v1/backups/{backup}/deposit-checks", json={}, headers=checks),
        lambda: zhang.post(f"/v1/backups/{backup}/submission", headers=submission),
    ]
    answers = [first, *(change() for change in changes[1:])]
    assert [answer.status_code for answer in answers] == [201, 200, 201, 200, 200]
    assert all("Idempotency-Replayed" not in answer.headers for answer in answers)
    for change, answer in zip(changes, answers, strict=True):
        again = change()
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.status_code == answer.status_code
        if "deposit-checks" not in str(answer.url):  # answers with the backup as it is now
            assert again.json() == answer.json()
    assert zhang.post(f"/v1/backups/{backup}/submission", headers=keyed()).status_code == 409


def test_a_refusal_is_repeated_too(zhang: httpx2.Client, draft: str) -> None:
    assert zhang.post(f"/v1/backups/{draft}/withdrawal", headers=keyed()).status_code == 200
    headers = keyed()
    answers = [zhang.post(f"/v1/backups/{draft}/submission", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [409, 409]
    bodies = [answer.json() | {"instance": None} for answer in answers]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("kind", ["creation", "form", "list", "submission", "withdrawal"])
def test_one_key_sent_many_times_at_once_has_one_effect_and_equal_answers(
    deployment: Deployment, zhang: httpx2.Client, kind: str
) -> None:
    headers = keyed()
    backup = complete_draft(zhang) if kind == "submission" else open_draft(zhang)
    form = f"/v1/backups/{backup}/steps/backup-information"
    request: dict[str, Callable[[], httpx2.Response]] = {
        "creation": lambda: zhang.post(
            "/v1/backups", json={"step": "project", "content": OTHER}, headers=headers
        ),
        "form": lambda: zhang.put(form, json=INFORMATION, headers={"If-Match": '"0"'}),
        "list": lambda: upload(zhang, backup, LIST, key=headers["Idempotency-Key"]),
        "submission": lambda: zhang.post(f"/v1/backups/{backup}/submission", headers=headers),
        "withdrawal": lambda: zhang.post(f"/v1/backups/{backup}/withdrawal", headers=headers),
    }
    tables = "SELECT (SELECT count(*) FROM backup), (SELECT count(*) FROM operation), "
    tables += "(SELECT count(*) FROM form_content), (SELECT count(*) FROM manifest), "
    tables += "(SELECT coalesce(sum(last), 0) FROM number_serial)"
    [before] = deployment.query(tables)
    answers = at_once([request[kind]] * REPEATED)
    [after] = deployment.query(tables)
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert all(answer.json() == answers[0].json() for answer in answers)
    effect = {
        "creation": (1, 1, 1, 0, 0),
        "form": (0, 1, 1, 0, 0),
        "list": (0, 1, 0, 1, 0),
        "submission": (0, 1, 0, 0, 1),
        "withdrawal": (0, 1, 0, 0, 0),
    }
    assert tuple(b - a for a, b in zip(before, after, strict=True)) == effect[kind]


def test_the_same_key_of_another_person_is_another_key(deployment: Deployment, zhang: httpx2.Client) -> None:
    headers, body = keyed(), {"step": "project", "content": PROJECT}
    mine = zhang.post("/v1/backups", json=body, headers=headers)
    with deployment.account("li") as other:
        theirs = other.post("/v1/backups", json=body, headers=headers)
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["backup_id"] != theirs.json()["backup_id"]


def at_once(requests: Sequence[Callable[[], httpx2.Response]]) -> list[httpx2.Response]:
    with ThreadPoolExecutor(len(requests)) as threads:
        return [pending.result() for pending in [threads.submit(request) for request in requests]]


def raw(name: str, value: str | bytes) -> dict[bytes, bytes]:
    """A header that a proper client would not send."""
    return {name.encode(): value if isinstance(value, bytes) else value.encode()}


def every_post(backup: str) -> list[str]:
    of_backup = ("submission", "withdrawal", "deposit-checks", "steps/data-files/manifests")
    return ["/v1/me/sign-ins", "/v1/backups", *(f"/v1/backups/{backup}/{rest}" for rest in of_backup)]


def body_of(path: str) -> dict[str, Any]:
    if path == "/v1/backups":
        return {"json": {"step": "project", "content": PROJECT}}
    if path.endswith("deposit-checks"):
        return {"json": {}}
    return {"content": LIST} if path.endswith("manifests") else {}
