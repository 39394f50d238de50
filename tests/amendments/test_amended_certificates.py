"""What verifying says of the certificate of a version that was corrected, or of a withdrawn number."""

import hashlib

import httpx2
import psycopg
import pytest
from amending import opened, save, submitted, withdraw
from eligibility_desk import Desk
from http_deployment import PROJECT

Numbered = tuple[str, str]


@pytest.fixture(autouse=True)
def fresh_minute(desk: Desk) -> None:
    """Nobody has asked in this minute."""
    with psycopg.connect(desk.database_url) as connection:
        connection.execute("TRUNCATE public_visit")


def digest(account: httpx2.Client, backup: str) -> str:
    answer = account.get(f"/v1/backups/{backup}/certificate", headers={"Accept": "application/pdf"})
    assert answer.status_code == 200, answer.text
    return hashlib.sha256(answer.content).hexdigest()


def verified(desk: Desk, number: str, sha256: str, accept: str = "*/*") -> httpx2.Response:
    with desk.visitor({"Accept": accept}) as anyone:
        answer = anyone.get(f"/verify/{number}", params={"sha256": sha256})
    assert answer.status_code == 200, answer.text
    return answer


def test_the_certificate_of_a_former_version_is_superseded(
    desk: Desk, zhang: httpx2.Client, backup: Numbered
) -> None:
    id_, number = backup
    old = digest(zhang, id_)
    draft = opened(zhang, id_)
    assert save(zhang, draft, "project", PROJECT | {"title": "更正后的题目"}, 1).status_code == 200
    assert submitted(zhang, draft)["number"] == number
    new = digest(zhang, id_)
    assert new != old
    before, after = (verified(desk, number, each).json() for each in (old, new))
    assert (before["valid"], before["issued"], before["issued_version"], before["version"]) == (
        True, True, 1, 2
    )  # fmt: skip
    assert (after["issued_version"], after["version"]) == (2, 2)
    page = verified(desk, number, old, "text/html").text
    assert '<p class="bad" role="status">' in page
    assert "第 1 版" in page
    assert "version 1 of this backup" in page
    assert '<p class="good" role="status">' in verified(desk, number, new, "text/html").text
    assert "更正后的题目" not in page, "titles are for those who hold the backup"


def test_an_unchanged_correction_has_a_certificate_of_its_own(
    desk: Desk, zhang: httpx2.Client, backup: Numbered
) -> None:
    id_, number = backup
    old = digest(zhang, id_)
    assert submitted(zhang, opened(zhang, id_))["number"] == number
    assert digest(zhang, id_) != old
    assert verified(desk, number, old).json()["issued_version"] == 1


def test_of_a_withdrawn_number_anyone_learns_since_when(
    desk: Desk, zhang: httpx2.Client, backup: Numbered
) -> None:
    id_, number = backup
    old = digest(zhang, id_)
    withdrawn_at = withdraw(zhang, id_).json()["withdrawn_at"]
    said = verified(desk, number, old).json()
    assert (said["valid"], said["issued"], said["withdrawn_at"]) == (False, True, withdrawn_at)
    page = verified(desk, number, old, "text/html").text
    assert "该备份编号已失效" in page
    assert "撤回时间" in page
    assert "周示例" not in page, "why is for those who hold the backup"
