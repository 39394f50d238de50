"""Whatever is sent: a problem that says where, what and how to mend it, no value in it, nothing changed."""

import base64
import hashlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from http_deployment import EXAMPLES, PROJECT, Deployment, keyed, open_draft, upload
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SECRET = "13800138000"
DEEP = 40


@pytest.fixture(scope="module")
def draft(zhang: httpx2.Client) -> str:
    """A draft that no bad request may change."""
    backup = open_draft(zhang)
    upload(zhang, backup, (EXAMPLES / "file-list-with-faults.csv").read_bytes())
    return backup


@pytest.fixture(scope="module")
def english(deployment: Deployment) -> Iterator[httpx2.Client]:
    with deployment.account("zhang", "en") as account:
        yield account


BAD_BODIES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 422, "invalid_field"),
    "blanks": (b" \n", 400, "malformed_body"),
    "text": (b'"13800138000"', 422, "invalid_field"),
    "a number": (b"13800138000", 422, "invalid_field"),
    "null": (b"null", 422, "invalid_field"),
    "a list": (b'[{"title": "13800138000"}]', 422, "invalid_field"),
    "no JSON": (b"title=13800138000", 400, "malformed_body"),
    "half of it": (b'{"title": "13800138000', 400, "malformed_body"),
    "two of them": (b'{"title": 1}{"title": 13800138000}', 400, "malformed_body"),
    "GB18030": ('{"title": "张三 13800138000"}'.encode("gb18030"), 400, "malformed_body"),
    "UTF-16": ('{"title": "13800138000"}'.encode("utf-16"), 400, "malformed_body"),
    "a byte order mark": (b'\xef\xbb\xbf{"title": "13800138000"}', 400, "malformed_body"),
    "a null character": (b'{"title": "13800138000\\u0000"}', 400, "malformed_body"),
    "a null character in a name": (b'{"13800138000\\u0000": 1}', 400, "malformed_body"),
    "a raw null": (b'{"title": "13800138000\0"}', 400, "malformed_body"),
    "a lone surrogate": (b'{"title": "13800138000\\ud800"}', 400, "malformed_body"),
    "a surrogate in UTF-8": (b'{"title": "\xed\xa0\x80"}', 400, "malformed_body"),
    "NaN": (b'{"title": NaN}', 400, "malformed_body"),
    "Infinity": (b'{"title": -Infinity}', 400, "malformed_body"),
    "1e400": (b'{"title": 1e400}', 400, "malformed_body"),
    "a number beyond 64 bits": (b'{"title": 13800138000138001380001}', 400, "malformed_body"),
    "a large number": (b'{"title": -1e19}', 400, "malformed_body"),
    "nested too deeply": (b'{"a":' * DEEP + b"13800138000" + b"}" * DEEP, 400, "malformed_body"),
    "lists nested too deeply": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "malformed_body"),
    "a megabyte": (b'{"title": "' + b"x" * (1 << 20) + b'"}', 413, "too_large"),
    "a form of 70 KB": (b'{"title": "' + b"x" * 70_000 + b'"}', 413, "too_large"),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_bad_body_is_refused_in_both_languages_without_its_values(
    zhang: httpx2.Client, english: httpx2.Client, draft: str, case: str
) -> None:
    body, status, problem = BAD_BODIES[case]
    before = zhang.get(f"/v1/backups/{draft}/steps/project").json()
    form = ("PUT", f"/v1/backups/{draft}/steps/project", {"If-Match": '"1"'})
    creation = ("POST", "/v1/backups", keyed())
    for method, path, headers in (form, creation):
        if case.startswith(("a form", "a megabyte")) and path == "/v1/backups":
            sent = b'{"step": "project", "content": ' + body + b"}"
        else:
            sent = body
        refused = in_both_languages(
            zhang, english, method, path, headers=headers | {"Content-Type": "application/json"}, content=sent
        )
        expected = {(status, problem)}
        if (method, status) == ("POST", 422):
            expected |= {(422, "unknown_field")}
        assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) in expected
    assert zhang.get(f"/v1/backups/{draft}/steps/project").json() == before


@pytest.mark.parametrize(
    "media_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "a", "/"]
)
def test_a_form_of_another_media_type_is_refused(
    zhang: httpx2.Client, english: httpx2.Client, draft: str, media_type: str
) -> None:
    for method, path, headers in (
        ("PUT", f"/v1/backups/{draft}/steps/project", {"If-Match": '"1"'}),
        ("POST", "/v1/backups", keyed()),
        ("POST", f"/v1/backups/{draft}/deposit-checks", keyed()),
    ):
        refused = in_both_languages(
            zhang, english, method, path, content=b"{}", headers=headers | {"Content-Type": media_type}
        )
        assert refused.status_code == 415


BAD_FIELDS: list[tuple[str, dict[str, Any], str, str]] = [
    ("", {"step": "project"}, "/content", "missing_field"),
    ("", {"content": {}}, "/step", "missing_field"),
    ("", {"step": 13800138000, "content": {}}, "/step", "invalid_field"),
    ("", {"step": "13800138000" * 10, "content": {}}, "/step", "invalid_field"),
    ("", {"step": "project", "content": [SECRET]}, "/content", "invalid_field"),
    ("", {"step": "project", "content": {}, SECRET: 1}, "", "unknown_field"),
    ("/{}/deposit-checks", {"attested": 13800138000}, "/attested", "invalid_field"),
    ("/{}/deposit-checks", {"attested": SECRET * 10}, "/attested", "invalid_field"),
    ("/{}/deposit-checks", {"attested": SECRET}, "/attested", "invalid_field"),
    ("/{}/deposit-checks", {"attest": SECRET}, "", "unknown_field"),
]


@pytest.mark.parametrize(("path", "body", "pointer", "code"), BAD_FIELDS)
def test_a_wrong_missing_or_unknown_field_is_named_by_its_place(
    zhang: httpx2.Client, english: httpx2.Client, draft: str, path: str, body: object, pointer: str, code: str
) -> None:
    address = "/v1/backups" + path.format(draft)
    refused = in_both_languages(zhang, english, "POST", address, json=body, headers=keyed())
    assert refused.status_code == 422
    assert [(each["pointer"], each["code"]) for each in refused.json()["errors"]] == [(pointer, code)]


@pytest.mark.parametrize(
    ("step", "status", "problem"),
    [
        ("data-files", 409, "wrong_step_kind"),
        ("13800138000", 404, "unknown_step"),
        ("%00", 404, "unknown_step"),
        ("%FF%FE", 404, "unknown_step"),
        ("x" * 5000, 404, "unknown_step"),
        ("..%2f..%2fproject", 404, "not_found"),
    ],
)
def test_a_form_for_a_step_that_is_none_is_refused(
    zhang: httpx2.Client, english: httpx2.Client, draft: str, step: str, status: int, problem: str
) -> None:
    path = f"/v1/backups/{draft}/steps/{step}"
    refused = in_both_languages(zhang, english, "PUT", path, json={}, headers={"If-Match": '"0"'})
    assert (refused.status_code, refused.json()["type"]) == (status, f"/problems/{problem}")


def test_what_an_address_does_not_take_is_refused_and_does_nothing(
    zhang: httpx2.Client, english: httpx2.Client, draft: str
) -> None:
    dry_run = {"json": {"dry_run": True, "phone": SECRET}}
    for method, path, extra, problem in (
        ("POST", f"/v1/backups/{draft}/submission", dry_run, "unexpected_body"),
        ("POST", f"/v1/backups/{draft}/withdrawal", dry_run, "unexpected_body"),
        ("GET", f"/v1/backups/{draft}", dry_run, "unexpected_body"),
        ("GET", "/v1/backups", dry_run, "unexpected_body"),
        ("GET", "/v1/backups", {"params": {"phone": SECRET}}, "unknown_field"),
        ("GET", "/v1/backups", {"params": {SECRET: "1"}}, "unknown_field"),
        ("POST", f"/v1/backups/{draft}/withdrawal", {"params": {"dry_run": SECRET}}, "unknown_field"),
        ("GET", f"/v1/backups/{draft}/findings", {"params": {"sevrity": SECRET}}, "unknown_field"),
    ):
        headers = keyed() if method == "POST" else {}
        refused = in_both_languages(zhang, english, method, path, headers=headers, **extra)
        assert refused.json()["type"] == f"/problems/{problem}"
    assert zhang.get(f"/v1/backups/{draft}").json()["state"] == "draft"


LISTS = {
    "/v1/backups": ("page_size", "page_token", "state"),
    "/v1/backups/{}/findings": ("page_size", "page_token", "step", "severity"),
    "/v1/backups/{}/steps/data-files/data-files": ("page_size", "page_token"),
    "/v1/me/notices": ("page_size", "page_token"),
}
BAD_QUERIES: list[tuple[str, list[str]]] = [
    *[
        ("page_size", [value])
        for value in ("0", "-1", "1001", "9" * 40, "1.5", "1e2", "", "１", SECRET, "\0")
    ],
    *[("page_token", [value]) for value in ("", "x", "=", "\0", "张三", SECRET, "A" * 513, "A" * 9000)],
    *[("state", [value]) for value in ("", "Draft", SECRET, "draft,numbered", "' OR 1=1 --")],
    *[("severity", [value]) for value in ("", "fatal", SECRET)],
    *[("step", [value]) for value in ("", "no-such-step", SECRET, "\0", "x" * 65)],
    ("page_size", ["1", "1"]),
    ("page_token", ["", "x"]),
    ("state", ["draft", "draft"]),
    ("severity", ["error", "error"]),
]


@pytest.mark.parametrize(("name", "values"), BAD_QUERIES, ids=repr)
def test_an_absurd_query_is_refused(
    zhang: httpx2.Client, english: httpx2.Client, draft: str, name: str, values: list[str]
) -> None:
    for path, names in LISTS.items():
        if name not in names:
            continue
        refused = in_both_languages(
            zhang, english, "GET", path.format(draft), params=[(name, value) for value in values]
        )
        assert refused.status_code in (400, 404, 422)


def test_a_page_token_forged_with_a_good_checksum_is_refused_or_gives_a_page(
    zhang: httpx2.Client, english: httpx2.Client, draft: str
) -> None:
    first = uuid.UUID(int=0)
    days = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00")
    newest_first = [f'["{day}","{first}"]' for day in days]
    sections = [
        "[0,0]",
        f"[{1 << 70},{1 << 70}]",
        "[6,9223372036854775807]",
        "[-1,-1]",
        "[1e3,0]",
        "[true,0]",
    ]
    lines = ["0", str(1 << 31), str(1 << 70), "-1", "1e3", "2147483647"]
    lists = {
        ("/v1/backups", "backups"): [*newest_first, "[1,2]", '[1e300,"x"]', "{}", "null"],
        ("/v1/me/notices", "notices"): newest_first,
        (f"/v1/backups/{draft}/findings", "findings"): sections,
        (f"/v1/backups/{draft}/steps/data-files/data-files", "data files"): lines,
    }
    for (path, name), keys in lists.items():
        for key in keys:
            checksum = hashlib.sha256(f"{name}\0{key}".encode()).digest()[:6]
            token = base64.urlsafe_b64encode(checksum + key.encode()).decode()
            answer = zhang.get(path, params={"page_token": token})
            assert answer.status_code in (200, 400), (path, key, answer.text)
            if answer.status_code == 400:
                assert answer.json()["type"] == "/problems/page_token_invalid"


@pytest.mark.parametrize(
    "backup",
    ["1", SECRET, "x" * 5000, "%00", "张三", "{}", "00000000-0000-4000-8000-000000000000x", "%2e%2e"],
)
def test_an_id_that_is_none_is_refused(zhang: httpx2.Client, english: httpx2.Client, backup: str) -> None:
    for path in (f"/v1/backups/{backup}", f"/v1/backups/{backup}/findings", f"/v1/operations/{backup}"):
        refused = in_both_languages(zhang, english, "GET", path)
        assert refused.status_code in (404, 422)
    assert in_both_languages(zhang, english, "GET", f"/problems/{backup}").status_code in (404, 422)


def test_an_unknown_address_or_method_is_a_problem_too(
    zhang: httpx2.Client, english: httpx2.Client, draft: str
) -> None:
    assert in_both_languages(zhang, english, "GET", f"/v1/{SECRET}").status_code == 404
    for method in ("DELETE", "PATCH", "TRACE", "PROPFIND"):
        refused = in_both_languages(zhang, english, method, f"/v1/backups/{draft}")
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET")
        refused = in_both_languages(zhang, english, method, f"/v1/backups/{draft}/steps/project")
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, PUT")


numbers = st.integers(-9 * 10**18, 9 * 10**18) | st.floats(-9e18, 9e18)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
known = st.sampled_from(sorted(PROJECT))
documents = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | known, inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.dictionaries(known | texts, documents, max_size=6))
def test_any_json_object_is_saved_and_read_back_equal_and_breaks_nothing(
    zhang: httpx2.Client, any_draft: str, content: dict[str, Any]
) -> None:
    path = f"/v1/backups/{any_draft}/steps/project"
    etag = zhang.get(path).headers["ETag"]
    saved = zhang.put(path, json=content, headers={"If-Match": etag})
    assert saved.status_code == 200, saved.text
    assert same(zhang.get(path).json()["content"], content)
    found = zhang.get(f"/v1/backups/{any_draft}/findings", params={"page_size": 1000})
    assert found.status_code == 200
    verdict = zhang.post(f"/v1/backups/{any_draft}/submission", headers=keyed())
    assert (verdict.status_code, verdict.json()["verdict"]) == (200, "rejected")
    assert zhang.get("/v1/backups", params={"page_size": 1}).status_code == 200


@pytest.fixture(scope="module")
def any_draft(zhang: httpx2.Client) -> str:
    return open_draft(zhang)


def same(read: Any, sent: Any) -> bool:
    """Whether what is read is what was sent; 3.6e16 may be written out, being the same number to JSON."""
    if isinstance(sent, dict):
        return read.keys() == sent.keys() and all(same(read[name], sent[name]) for name in sent)
    if isinstance(sent, list):
        return len(read) == len(sent) and all(map(same, read, sent))
    if isinstance(sent, float):
        return float(read) == sent
    return type(read) is type(sent) and bool(read == sent)


def in_both_languages(
    zhang: httpx2.Client, english: httpx2.Client, method: str, path: str, **request: Any
) -> httpx2.Response:
    """The Chinese answer: a problem like the English one, in its own language, neither with a value."""
    answers = [account.request(method, path, **request) for account in (zhang, english)]
    for answer, language in zip(answers, ("zh-CN", "en"), strict=True):
        assert 400 <= answer.status_code < 500, (path, answer.status_code, answer.text)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Content-Language"] == language
        assert SECRET not in answer.text
        told = answer.json()
        assert told["title"]
        assert told["detail"]
        assert told["status"] == answer.status_code
        assert all(each["detail"] for each in told["errors"])
    chinese, other = (answer.json() for answer in answers)
    assert chinese["type"] == other["type"]
    assert chinese["detail"] != other["detail"]
    assert json.dumps(other).isascii()
    return answers[0]
