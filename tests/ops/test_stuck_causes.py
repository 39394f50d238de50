"""Each cause appears in the list, is understood from it, and goes away when it is mended."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2
import pytest
from backup_desk import Repositories
from broken_version import Broken
from http_deployment import INFORMATION
from operators_room import Station, until
from temporalio.client import WorkflowFailureError

from activities.repositories import LookUp
from schemas.errors import Refusal


@contextmanager
def failing(repositories: Repositories) -> Iterator[None]:
    """Repositories that raise what names a person."""

    def look_up(repository: str, accession: str) -> LookUp:
        raise ConnectionError("张金丝雀 13800001111")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repositories, "look_up", look_up)
        yield


@pytest.fixture
def noted_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second attempt on: the fifth comes after fifteen seconds."""
    monkeypatch.setattr("activities.attempts.NOTED_FROM", 2)


@pytest.fixture
def asking() -> Iterator[ThreadPoolExecutor]:
    """Somebody who waits for an answer."""
    with ThreadPoolExecutor(1) as one:
        yield one


def save(station: Station, backup: str) -> httpx2.Response:
    path = f"/v1/backups/{backup}/steps/backup-information"
    return station.person.put(path, json=INFORMATION, headers={"If-Match": '"0"'})


def test_an_activity_that_keeps_failing_is_listed_by_its_worker_and_retried_when_told(
    station: Station, repositories: Repositories, noted_soon: None, asking: ThreadPoolExecutor
) -> None:
    backup = station.waiting_draft()
    with failing(repositories):
        asked = asking.submit(station.asks_look_up, backup)
        until(lambda: station.causes(backup, scanning=False) == ["activity_retrying"])
        (row,) = station.stuck(backup)
        assert (row["activity"], row["failure"]) == ("look_up", "ConnectionError")
        assert [each["action"] for each in row["actions"]] == ["retry", "pause", "hand_to_support"]
        assert station.case(backup)["pending"][0]["failure"] == "ConnectionError"
        assert "金丝雀" not in str(station.stuck(backup)) + str(station.case(backup))
        until(lambda: station.case(backup)["pending"][0]["attempt"] >= 4)  # the next comes in four seconds
    assert station.acts(backup, "retry").status_code == 200
    assert asked.result().status_code in (200, 202)
    until(lambda: station.causes(backup) == [])


def test_a_local_activity_that_keeps_failing_is_listed_and_clears_itself(
    station: Station, noted_soon: None, asking: ThreadPoolExecutor
) -> None:
    backup = station.draft()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("activities.backups._save", lambda *_: 1 / 0)
        asked = asking.submit(save, station, backup)
        until(lambda: station.causes(backup, scanning=False) == ["activity_retrying"])
        (row,) = station.stuck(backup)
        assert (row["activity"], row["failure"]) == ("record_step", "ZeroDivisionError")
        assert "retry" not in [each["action"] for each in row["actions"]]
        assert "activity_retrying" in station.causes(
            backup
        )  # a scan leaves it, though Temporal knows nothing
    assert asked.result().status_code in (200, 202)
    until(lambda: station.causes(backup, scanning=False) == [])


def test_a_request_without_an_answer_is_listed_while_it_is_worked_on(
    station: Station, repositories: Repositories, asking: ThreadPoolExecutor
) -> None:
    backup = station.waiting_draft()
    repositories.open.clear()
    asked = asking.submit(station.asks_look_up, backup)
    until(lambda: station.case(backup)["pending"] != [])
    assert station.causes(backup) == []
    station.deployment.query(
        "UPDATE operation SET asked_at = now() - interval '1 minute' WHERE case_id = %s AND outcome IS NULL"
        " RETURNING 1",
        backup,
    )
    assert station.causes(backup) == ["unanswered"]
    repositories.open.set()
    assert asked.result().status_code in (200, 202)
    until(lambda: station.causes(backup) == [])


def test_a_request_that_nobody_repeated_is_not_taken_for_one_that_is_worked_on(station: Station) -> None:
    backup = station.draft()
    station.deployment.query(
        "INSERT INTO operation (id, case_id, kind, request_digest, asked_at)"
        " VALUES (gen_random_uuid(), %s, 'submit', '', now() - interval '1 minute') RETURNING 1",
        backup,
    )
    assert station.causes(backup) == []


def test_a_broken_version_is_listed_and_the_cases_go_on_when_it_is_taken_back(station: Station) -> None:
    backup, deployment = station.draft(), station.deployment
    deployment.stop_worker()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("worker.BackupCreation", Broken)
        deployment.start_worker()
    assert save(station, backup).status_code == 503
    until(lambda: "task_failures" in station.causes(backup))
    row = next(row for row in station.stuck(backup) if row["cause"] == "task_failures")
    assert [each["action"] for each in row["actions"]] == ["pause", "reset", "hand_to_support"]
    deployment.stop_worker()
    deployment.start_worker()
    until(lambda: station.causes(backup) == [])
    assert save(station, backup).status_code == 200


def test_a_scan_goes_on_when_no_rulebook_is_in_force(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = station.draft()
    station.deployment.query(
        "UPDATE backup SET expires_at = now() - interval '1 hour' WHERE id = %s RETURNING 1", backup
    )

    def refuse(*_: object) -> None:
        raise Refusal("no_rulebook_in_force")

    monkeypatch.setattr("store.releases.Rulebooks.in_force", refuse)
    assert station.causes(backup) == ["timer_past_due"]


def test_work_of_the_platform_s_own_is_listed_as_well(station: Station) -> None:
    def fail(*_: object) -> None:
        raise OSError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("activities.attempts.NOTED_FROM", 1)
        patch.setattr("activities.stuck_scan.stuck.note_from_records", fail)
        with pytest.raises(WorkflowFailureError):
            station.scan()
    rows = station.operator.get("/v1/ops/stuck", params={"kind": "system", "page_size": 1000}).json()["stuck"]
    assert {row["activity"] for row in rows} == {"scan_for_stuck_work"}
    shown = station.case(rows[0]["case_id"])
    assert (shown["case_kind"], shown["workflow"]) == ("system", "closed")
    station.scan()
    kept = station.operator.get("/v1/ops/stuck", params={"kind": "system", "page_size": 1000}).json()["stuck"]
    assert kept == []


def test_the_list_comes_in_pages_that_fit_together(station: Station) -> None:
    backups = [station.draft() for _ in range(3)]
    for backup in backups:
        station.deployment.query(
            "UPDATE backup SET expires_at = now() - interval '1 hour' WHERE id = %s RETURNING 1", backup
        )
    station.scan()
    query: dict[str, str | int] = {"page_size": 1, "cause": "timer_past_due", "kind": "backup"}
    found = []
    while True:
        page = station.operator.get("/v1/ops/stuck", params=query).json()
        found += [row["case_id"] for row in page["stuck"]]
        token = page["pagination"]["next_page_token"]
        if token is None:
            break
        query["page_token"] = token
    assert set(backups) <= set(found)
    assert (len(found), len(set(found))) == (page["total"], page["total"])
    for wrong in ({"cause": "nothing"}, {"unit": "x"}, {"page_token": "x"}, {"page_size": 0}):
        assert station.operator.get("/v1/ops/stuck", params=wrong).status_code in (400, 422)
