"""kill -9 of worker, API, PostgreSQL and Temporal around requests: nothing lost, nothing twice."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from chaos_stage import Person, Stage, until

from embedded.platform import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
PROJECT: dict[str, Any] = json.loads((EXAMPLES / "project.json").read_text("utf-8"))
INFORMATION: dict[str, Any] = json.loads((EXAMPLES / "backup-information.json").read_text("utf-8"))
LIST = (EXAMPLES / "file-list.csv").read_bytes()


def save_information(person: Person, draft: str) -> Any:
    path = f"{draft}/steps/backup-information"
    return person.insists("PUT", path, json=INFORMATION, headers={"If-Match": '"0"'})


def upload(person: Person, draft: str, key: str = "") -> Any:
    headers = {"If-Match": '"0"', "Content-Type": "text/csv"}
    return person.insists("POST", f"{draft}/steps/data-files/manifests", key, content=LIST, headers=headers)


async def number(person: Person, draft: str) -> str:
    """Finish a draft that has its project."""
    assert (await save_information(person, draft)).status_code == 200
    assert (await upload(person, draft)).status_code == 201
    answer = await person.insists("POST", f"{draft}/submission")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["number"])


async def revisions(person: Person, draft: str) -> dict[str, int]:
    backup = (await person.insists("GET", draft)).json()
    return {step["id"]: step["revision"] for step in backup["steps"]}


async def test_what_was_noted_while_no_worker_lived_is_done_once(stage: Stage, person: Person) -> None:
    draft, key = await person.opens(PROJECT), str(uuid4())
    backup = draft.rpartition("/")[2]
    stage.kill_worker()
    request = {"json": {"step": "project", "content": PROJECT}}
    saving = asyncio.ensure_future(save_information(person, draft))
    answer = await person.asks("POST", "/v1/backups", key, **request)
    noted = "SELECT count(*) FROM operation WHERE case_id = %s AND outcome IS NULL"
    await until(lambda: stage.value(noted, backup) == 1)
    assert answer.status_code == 503, answer.text
    assert answer.json()["retryable"] is True
    stage.start_worker()
    opened = await person.insists("POST", "/v1/backups", key, **request)
    assert opened.status_code == 201, opened.text
    assert opened.json()["revision"] == 1
    saved = await saving
    assert (saved.status_code, saved.json()["revision"]) == (200, 1)
    again = await person.asks("POST", "/v1/backups", key, **request)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == opened.json()
    assert stage.value("SELECT count(*) FROM backup") == 2
    assert stage.value("SELECT count(*) FROM operation WHERE outcome IS NULL") == 0


async def test_an_api_killed_in_an_upload_leaves_the_draft_and_no_file(stage: Stage, person: Person) -> None:
    draft = await person.opens(PROJECT)
    host, port = stage.api_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as half:
        head = [
            f"POST {draft}/steps/data-files/manifests HTTP/1.1",
            f"Host: {host}",
            f"Authorization: Bearer {stage.issuer.token('zhang')}",
            f"Idempotency-Key: {uuid4()}",
            'If-Match: "0"',
            "Content-Type: text/csv",
            "Content-Length: 1000000",
        ]
        half.sendall("\r\n".join([*head, "", ""]).encode() + LIST * 100)
        await until(lambda: _is_spooling(stage))
        stage.kill("api")
    stage.start_api()
    assert [path for path in stage.uploads.rglob("*") if path.is_file()] == [], "a list was left behind"
    assert await revisions(person, draft) == {"project": 1, "backup-information": 0, "data-files": 0}
    answer = await upload(person, draft)
    assert (answer.status_code, answer.json()["revision"]) == (201, 1)


def _is_spooling(stage: Stage) -> bool:
    """Whether the API holds the first part of the list in a file, which need not have a name."""
    for descriptor in Path(f"/proc/{stage.pid('api')}/fd").iterdir():
        if str(stage.uploads) in str(descriptor.readlink()) and descriptor.stat().st_size > 0:
            return True
    return False


async def test_an_api_killed_before_it_answers_finds_the_answer_when_asked_again(
    stage: Stage, person: Person
) -> None:
    draft, key = await person.opens(PROJECT), str(uuid4())
    backup = draft.rpartition("/")[2]
    stage.kill_worker()
    uploading = asyncio.ensure_future(upload(person, draft, key))
    noted = "SELECT count(*) FROM operation WHERE case_id = %s AND outcome IS NULL"
    await until(lambda: stage.value(noted, backup) == 1)
    stage.kill("api")
    stage.start_worker()
    stage.start_api()
    answer = await uploading
    assert (answer.status_code, answer.json()["revision"]) == (201, 1)
    assert stage.value("SELECT count(*) FROM operation WHERE case_id = %s", backup) == 2
    assert (
        stage.value("SELECT revision FROM backup_step WHERE backup_id = %s AND step = 'data-files'", backup)
        == 1
    )


async def test_a_save_waits_for_a_killed_database(stage: Stage, person: Person) -> None:
    draft = await person.opens(PROJECT)
    backup = draft.rpartition("/")[2]
    with psycopg.connect(stage.dsn) as blocker:
        blocker.execute("SELECT FROM backup WHERE id = %s FOR UPDATE", [backup])
        saving = asyncio.ensure_future(save_information(person, draft))
        blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        await until(lambda: stage.value(blocked) > 0)
        stage.kill("PostgreSQL")
        await until(lambda: gone(blocker))  # its server process may answer once more before it notices
    away = await person.asks("GET", draft)
    assert away.status_code == 503, away.text
    assert away.json()["type"] == "/problems/database_unavailable"
    stage.start_server_again("PostgreSQL")
    saved = await saving
    assert (saved.status_code, saved.json()["revision"]) == (200, 1)
    assert await revisions(person, draft) == {"project": 1, "backup-information": 1, "data-files": 0}
    assert stage.value("SELECT count(*) FROM operation WHERE outcome IS NULL") == 0


def gone(connection: psycopg.Connection) -> bool:
    """Whether nobody answers on a connection any more."""
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


async def test_open_drafts_survive_a_killed_temporal(stage: Stage, person: Person) -> None:
    drafts = [await person.opens(PROJECT) for _ in range(3)]
    stage.kill("Temporal")
    answer = await person.asks(
        "PUT", f"{drafts[0]}/steps/backup-information", json=INFORMATION, headers={"If-Match": '"0"'}
    )
    assert answer.status_code in (202, 503), answer.text
    stage.start_server_again("Temporal")
    numbers = await asyncio.gather(*(number(person, draft) for draft in drafts))
    assert len(set(numbers)) == 3
    assert stage.value("SELECT count(*) FROM backup WHERE number = ANY(%s)", numbers) == 3
    assert stage.value("SELECT count(*) FROM operation WHERE outcome IS NULL") == 0
