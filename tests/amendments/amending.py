"""What one asks of a numbered backup, and what one reads of it."""

from typing import Any

import httpx2
from http_deployment import keyed

REASON = "补录周示例的样本"


def withdraw(account: httpx2.Client, backup: str, key: str | None = None) -> httpx2.Response:
    path = f"/v1/backups/{backup}/number-withdrawal"
    return account.post(path, json={"reason": REASON}, headers=keyed(key))


def correct(account: httpx2.Client, backup: str, key: str | None = None) -> httpx2.Response:
    return account.post(f"/v1/backups/{backup}/corrections", json={"reason": REASON}, headers=keyed(key))


def opened(account: httpx2.Client, backup: str) -> str:
    """The draft of a new correction."""
    answer = correct(account, backup)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/v1/backups/{answer.json()['backup_id']}"
    return str(answer.json()["backup_id"])


def save(
    account: httpx2.Client, backup: str, step: str, form: dict[str, Any], revision: int
) -> httpx2.Response:
    path = f"/v1/backups/{backup}/steps/{step}"
    return account.put(path, json=form, headers={"If-Match": f'"{revision}"'})


def submitted(account: httpx2.Client, backup: str) -> dict[str, Any]:
    answer: dict[str, Any] = account.post(f"/v1/backups/{backup}/submission", headers=keyed()).json()
    return answer


def shown(account: httpx2.Client, backup: str, below: str = "") -> dict[str, Any]:
    answer = account.get(f"/v1/backups/{backup}{below}")
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def versions(account: httpx2.Client, backup: str) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = shown(account, backup, "/versions")["versions"]
    return said


def title(account: httpx2.Client, backup: str) -> str:
    """As the list and the form both say."""
    form = shown(account, backup, "/steps/project")["content"]
    assert form["title"] == shown(account, backup)["title"]
    return str(form["title"])


def problem(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")
