"""Certificates over HTTP, and their verification by anyone."""

import hashlib
import re
import uuid
from base64 import b64encode
from dataclasses import replace
from typing import Any

import httpx2
import psycopg
import pytest
from http_deployment import Deployment, complete_draft, open_draft
from http_deployment import number as numbered_as

from api.verify import MOST

PDF = {"Accept": "application/pdf"}
HTML = {"Accept": "text/html,*/*"}


@pytest.fixture(autouse=True)
def fresh_minute(office: Deployment) -> None:
    """Nobody has asked in this minute."""
    with psycopg.connect(office.database_url) as connection:
        connection.execute("TRUNCATE public_visit")


def pdf_of(account: httpx2.Client, backup: str) -> httpx2.Response:
    answer = account.get(f"/v1/backups/{backup}/certificate", headers=PDF)
    assert answer.status_code == 200, answer.text
    return answer


def verify(office: Deployment, number: str, accept: str = "*/*", **query: str) -> httpx2.Response:
    with office.visitor({"Accept": accept}) as anyone:
        return anyone.get(f"/verify/{number}", params=query)


def problem(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def test_a_numbered_backup_has_a_certificate_without_any_person(
    zhang: httpx2.Client, numbered: tuple[str, str]
) -> None:
    backup, number = numbered
    said = zhang.get(f"/v1/backups/{backup}/certificate").json()
    assert said["number"] == number
    assert said["title"] == "肺癌多组学队列研究"
    assert {category["id"] for category in said["categories"]} <= {
        "wgs", "array", "wes", "targeted", "epigenome", "transcriptome"
    }  # fmt: skip
    assert said["counts"]["individuals"] == 620
    assert said["counts"]["samples"] == 1240
    assert said["counts"]["data_files"] == said["manifests"][0]["data_files"] > 0
    for personal in ("张示例", "李示例", "15400000002", "contact@example.org"):
        assert personal not in str(said)


def test_its_pdf_has_the_digest_that_anyone_can_have_confirmed(
    office: Deployment, zhang: httpx2.Client, numbered: tuple[str, str]
) -> None:
    backup, number = numbered
    answer = pdf_of(zhang, backup)
    assert answer.headers["Content-Type"] == "application/pdf"
    digest = hashlib.sha256(answer.content)
    assert answer.headers["Repr-Digest"] == f"sha-256=:{b64encode(digest.digest()).decode()}:"
    assert pdf_of(zhang, backup).content == answer.content
    said = verify(office, number, sha256=f" {digest.hexdigest().upper()} ").json()
    assert (said["valid"], said["issued"], said["sha256"]) == (True, True, digest.hexdigest())
    assert verify(office, number, sha256="0" * 64).json()["issued"] is False
    assert verify(office, number).json()["issued"] is None


def test_the_certificate_of_one_backup_is_none_of_another(
    office: Deployment, zhang: httpx2.Client, numbered: tuple[str, str]
) -> None:
    other = complete_draft(zhang)
    other_number = numbered_as(zhang, other)
    digest = hashlib.sha256(pdf_of(zhang, numbered[0]).content).hexdigest()
    assert verify(office, other_number, sha256=digest).json()["issued"] is False


def test_a_draft_has_none_and_a_strangers_is_not_found(
    office: Deployment, zhang: httpx2.Client, numbered: tuple[str, str]
) -> None:
    draft = open_draft(zhang)
    for headers in ({}, PDF):
        assert problem(zhang.get(f"/v1/backups/{draft}/certificate", headers=headers)) == (
            409,
            "not_numbered",
        )
    with office.account("wang") as stranger, office.account("chen") as administrator:
        assert problem(stranger.get(f"/v1/backups/{numbered[0]}/certificate")) == (404, "not_found")
        assert pdf_of(administrator, numbered[0]).content == pdf_of(zhang, numbered[0]).content


def test_the_public_learns_that_a_number_stands_and_nothing_of_the_project_the_unit_or_a_person(
    office: Deployment, numbered: tuple[str, str]
) -> None:
    said = verify(office, numbered[1]).json()
    known = {"number", "valid", "numbered_at", "withdrawn_at", "version", "release"}
    assert set(said) == known | {"sha256", "issued", "issued_version"}
    page = verify(office, numbered[1], "text/html").text
    for hidden in ("肺癌", "示例", "12990000EX00000106", "张"):
        assert hidden not in str(said) + page


def test_a_browser_gets_a_page_in_both_languages_that_can_run_nothing(
    office: Deployment, numbered: tuple[str, str]
) -> None:
    answer = verify(office, numbered[1], "text/html")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "该备份编号有效" in answer.text
    assert "This backup number is valid" in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script" not in answer.text + policy
    style = re.search("<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style
    assert b64encode(hashlib.sha256(style[1].encode()).digest()).decode() in policy
    compared = verify(office, numbered[1], "text/html", sha256="0" * 64).text
    assert "不属于" in compared


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
@pytest.mark.parametrize(
    ("number", "query", "expected"),
    [
        ("BF1999010100001", {}, (404, "number_unknown")),
        ("BF 1", {}, (422, "number_malformed")),
        ("x" * 65, {}, (422, "number_malformed")),
        ("%00", {}, (422, "number_malformed")),
        ("%3Cscript%3Ealert(1)%3C%2Fscript%3E", {}, (404, "number_unknown")),
        ("%27%20OR%201=1", {}, (422, "number_malformed")),
        ("BF1999010100001", {"sha256": "abc"}, (422, "digest_malformed")),
        ("BF1999010100001", {"sha256": "\0" * 64}, (422, "digest_malformed")),
        ("BF1999010100001", {"sha256": ""}, (404, "number_unknown")),
    ],
)
def test_what_is_no_number_or_no_digest_is_told_apart_and_never_repeated(
    office: Deployment, number: str, query: dict[str, str], expected: tuple[int, str], accept: str
) -> None:
    answer = verify(office, number, accept, **query)
    assert answer.status_code == expected[0], answer.text
    if accept == "text/html":
        assert "Content-Security-Policy" in answer.headers
        assert "<script" not in answer.text
        assert "alert" not in answer.text
    else:
        assert problem(answer) == expected


def test_who_asks_too_often_waits_whatever_they_ask(office: Deployment, numbered: tuple[str, str]) -> None:
    answers: list[Any] = []
    with office.visitor() as anyone:
        for attempt in range(2 * MOST + 1):  # a minute may end in between
            number = (numbered[1], "BF1999010100001", "x" * 65)[attempt % 3]
            answers.append(anyone.get(f"/verify/{number}"))
        page = anyone.get(f"/verify/{numbered[1]}", headers=HTML)
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 1
    assert all(1 <= int(answer.headers["Retry-After"]) <= 60 for answer in refused)
    assert {answer.json()["type"] for answer in refused} == {"/problems/rate_limited"}
    assert page.status_code in (200, 429)


def test_a_deployment_without_a_public_address_sets_no_pdf(
    office: Deployment, zhang: httpx2.Client, numbered: tuple[str, str]
) -> None:
    platform = office.app.state.platform
    office.app.state.platform = replace(platform, public_url=None)
    try:
        path = f"/v1/backups/{numbered[0]}/certificate"
        assert problem(zhang.get(path, headers=PDF)) == (503, "no_public_address")
        assert zhang.get(path).status_code == 200
    finally:
        office.app.state.platform = platform


def test_a_certificate_that_was_asked_for_leaves_one_digest(
    office: Deployment, zhang: httpx2.Client, numbered: tuple[str, str]
) -> None:
    for _ in range(3):
        pdf_of(zhang, numbered[0])
    issued = office.query(
        "SELECT count(*) FROM issued_certificate WHERE backup_id = %s", uuid.UUID(numbered[0])
    )
    assert issued == [(1,)]
