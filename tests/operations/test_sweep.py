"""The sweep takes what nobody will come back for, and nothing else."""

import asyncio
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import httpx2
import psycopg
import pytest
from http_deployment import EXAMPLES, INFORMATION, PROJECT, Deployment, keyed, open_draft, upload
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Json
from sqlalchemy import Engine
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.sweep import SweepActivities
from schemas.contracts.operations import SweepOrder, Swept
from store.database import connect

NOW = datetime.now(UTC)
WEEK = SweepOrder()
AT_ONCE = SweepOrder(lapses_after=timedelta(), kept_for=timedelta())


class Request(NamedTuple):
    """One request that brought content, as our records have it."""

    content: str  # "form" or "list"
    asked_days_ago: int
    answer: str  # "none", "refused" or "done"
    saved: bool  # a step refers to the content
    running: bool  # the workflow that may carry it out runs


requests = st.builds(
    Request,
    content=st.sampled_from(["form", "list"]),
    asked_days_ago=st.integers(0, 20),
    answer=st.sampled_from(["none", "refused", "done"]),
    saved=st.booleans(),
    running=st.booleans(),
)


@pytest.fixture(scope="module")
def engine(plant: Deployment) -> Iterator[Engine]:
    engine = connect(plant.settings.database_url.get_secret_value(), pool_size=2)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
async def running_case(client: Client) -> uuid.UUID:
    """A backup whose workflow runs, though no worker takes it up."""
    case = uuid.uuid4()
    await client.start_workflow("BackupCreation", id=f"backup-{case}", task_queue="nobody's")
    return case


async def swept(engine: Engine, client: Client, order: SweepOrder) -> Swept:
    return await ActivityEnvironment().run(SweepActivities(engine, client).clear_away, order)


class Records:
    """Requests in the database, written as the API and the activities leave them."""

    def __init__(self, url: str, backup: str, running: uuid.UUID) -> None:
        self._database = psycopg.connect(url, autocommit=True)
        self._backup, self._running = backup, running

    def add(self, request: Request, number: int) -> uuid.UUID:
        id_ = uuid.uuid4()
        asked_at = NOW - timedelta(days=request.asked_days_ago)
        outcome: dict[str, dict[str, object] | None] = {
            "none": None,
            "refused": {"refused": "stale_revision", "facts": {}},
            "done": {"saved": {}},
        }
        answer = outcome[request.answer]
        self._database.execute(
            "INSERT INTO operation (id, case_id, kind, request_digest, asked_at, outcome, finished_at)"
            " VALUES (%s, %s, 'save_step', '', %s, %s, %s)",
            (
                id_,
                self._running if request.running else uuid.uuid4(),
                asked_at,
                Json(answer) if answer else None,
                asked_at if answer else None,
            ),
        )
        if request.content == "form":
            self._database.execute(
                "INSERT INTO form_content (id, account_id, sha256, body, stored_at)"
                " VALUES (%s, %s, '', '{}', %s)",
                (id_, uuid.uuid4(), asked_at),
            )
        else:
            self._add_list(id_, asked_at)
        if request.saved:
            self._database.execute(
                "INSERT INTO backup_step (backup_id, step, revision, content_id, saved_at, saved_by)"
                " VALUES (%s, %s, 1, %s, %s, %s)",
                (self._backup, f"{id_}-{number}", id_, asked_at, uuid.uuid4()),
            )
        return id_

    def _add_list(self, id_: uuid.UUID, at: datetime) -> None:
        self._database.execute(
            "INSERT INTO manifest (id, account_id, sha256, form, format, listing, rows, unreadable_rows,"
            " categories, repositories, in_transit, stored_at)"
            " VALUES (%s, %s, '', 'data-file', 'csv', 'file_list', 1, 1, '{}', '{}', '{}', %s)",
            (id_, uuid.uuid4(), at),
        )
        for statement in (
            "INSERT INTO manifest_row (manifest_id, line, record) VALUES (%s, 2, '{}')",
            "INSERT INTO manifest_fault (manifest_id, code, facts) VALUES (%s, 'file.x', '{}')",
            "INSERT INTO manifest_accession (accession, manifest_id) VALUES ('HRA1', %s)",
        ):
            self._database.execute(statement, (id_,))

    def answer(self, id_: uuid.UUID) -> str:
        row = self._database.execute("SELECT outcome FROM operation WHERE id = %s", (id_,)).fetchone()
        assert row is not None, "the ledger is never shortened"
        if row[0] is None:
            return "none"
        return str(row[0].get("refused", "done"))

    def parts(self, id_: uuid.UUID) -> int:
        """How many rows are left of a content."""
        tables = {"form_content": "id", "manifest": "id"}
        tables |= dict.fromkeys(("manifest_row", "manifest_fault", "manifest_accession"), "manifest_id")
        counted = [f"(SELECT count(*) FROM {table} WHERE {key} = %(id)s)" for table, key in tables.items()]
        row = self._database.execute(f"SELECT {' + '.join(counted)}", {"id": id_}).fetchone()
        assert row is not None
        return int(row[0])

    def forget(self) -> None:
        self._database.execute("DELETE FROM backup_step WHERE step LIKE '%-%-%-%-%-%'")


@pytest.fixture(scope="module")
def records(plant: Deployment, zhang: httpx2.Client, running_case: uuid.UUID) -> Records:
    return Records(plant.database_url, open_draft(zhang), running_case)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(requests, min_size=1, max_size=12))
async def test_no_content_that_a_step_a_running_workflow_or_a_repetition_needs_is_ever_deleted(
    engine: Engine, client: Client, records: Records, asked: list[Request]
) -> None:
    ids = {records.add(request, number): request for number, request in enumerate(asked)}
    for order in (WEEK, WEEK, AT_ONCE, AT_ONCE):
        await swept(engine, client, order)
        for id_, request in ids.items():
            answer, whole = records.answer(id_), 1 if request.content == "form" else 4
            old = request.asked_days_ago >= 7 or order is AT_ONCE
            if request.saved or request.answer == "done" or (request.answer == "none" and request.running):
                assert (answer == "none") is (request.answer == "none" and (request.running or not old))
                assert records.parts(id_) == whole
            elif request.answer == "none":
                assert answer == ("request_lapsed" if old else "none")
                assert records.parts(id_) == whole or order is AT_ONCE, "it goes a week after it lapsed"
            else:
                assert records.parts(id_) == (0 if old else whole)
    gone = [
        i for i, r in ids.items() if not (r.saved or r.answer == "done" or (r.answer == "none" and r.running))
    ]
    assert [records.parts(id_) for id_ in gone] == [0] * len(gone)
    records.forget()


async def test_a_save_that_waits_for_a_worker_survives_and_a_done_one_is_repeated_after_the_sweep(
    plant: Deployment, engine: Engine, client: Client, zhang: httpx2.Client
) -> None:
    body, headers = {"step": "project", "content": PROJECT}, keyed()
    created = zhang.post("/v1/backups", json=body, headers=headers).json()
    path = f"/v1/backups/{created['backup_id']}/steps/backup-information"
    plant.stop_worker()
    try:
        waits = zhang.put(path, json=INFORMATION, headers={"If-Match": '"0"'})
        assert waits.status_code == 503
        for _ in range(2):
            await swept(engine, client, AT_ONCE)
    finally:
        plant.start_worker()
    saved = zhang.put(path, json=INFORMATION, headers={"If-Match": '"0"'})
    assert (saved.status_code, saved.json()["revision"]) == (200, 1)
    assert zhang.get(path).json()["content"] == INFORMATION
    again = zhang.post("/v1/backups", json=body, headers=headers)
    assert (again.status_code, again.json()["operation_id"]) == (201, created["operation_id"])


async def test_a_list_that_was_refused_goes_with_all_its_rows_and_the_saved_one_stays(
    plant: Deployment, engine: Engine, client: Client, zhang: httpx2.Client
) -> None:
    draft = open_draft(zhang)
    listed = (EXAMPLES / "file-list.csv").read_bytes()
    saved = upload(zhang, draft, listed).json()["operation_id"]
    refused = uuid.uuid4()
    for table in ("manifest", "manifest_row", "manifest_accession"):
        _copy(plant, table, saved, refused)
    plant.query(
        "INSERT INTO operation (id, case_id, kind, request_digest, asked_at, outcome, finished_at)"
        " VALUES (%s, %s, 'save_step', '', now(), '{\"refused\": \"stale_revision\"}', now()) RETURNING id",
        refused,
        draft,
    )
    assert (await swept(engine, client, AT_ONCE)).lists == 1
    counts = "SELECT (SELECT count(*) FROM manifest_row WHERE manifest_id = %s)"
    assert plant.query(counts, refused) == [(0,)]
    assert plant.query(counts, saved) != [(0,)]


def _copy(plant: Deployment, table: str, of: str, to: uuid.UUID) -> None:
    key = "id" if table == "manifest" else "manifest_id"
    with psycopg.connect(plant.database_url) as connection:
        row = connection.execute(
            "SELECT string_agg(quote_ident(attname), ',') FROM pg_attribute"
            f" WHERE attrelid = '{table}'::regclass AND attnum > 0 AND attname <> '{key}'"
        ).fetchone()
        assert row is not None
        connection.execute(
            f"INSERT INTO {table} ({key}, {row[0]}) SELECT %s, {row[0]} FROM {table} WHERE {key} = %s",
            (to, of),
        )


async def test_a_claim_that_never_got_under_way_goes_and_one_that_did_stays(
    plant: Deployment, engine: Engine, client: Client, zhang: httpx2.Client
) -> None:
    claimed = zhang.post("/v1/claims", json={"name": "王示例", "phone": "13800138000"}, headers=keyed())
    assert claimed.status_code in (201, 202), claimed.text
    under_way = claimed.headers["Location"].rpartition("/")[2]
    stored = uuid.uuid4()
    with psycopg.connect(plant.database_url) as connection:
        connection.execute(
            "INSERT INTO claim (id, account_id, unit_code, person_index, phone_index, address_index, state,"
            " moved, already_moved, drafts_left, created_at)"
            " SELECT %s, account_id, unit_code, person_index, phone_index, address_index, 'stored', 0, 0, 0,"
            " created_at FROM claim WHERE id = %s",
            (stored, under_way),
        )
        connection.execute(
            "INSERT INTO operation (id, case_id, kind, request_digest, asked_at)"
            " VALUES (%s, %s, 'claim', '', now())",
            (uuid.uuid4(), stored),
        )
    first = await swept(engine, client, SweepOrder(lapses_after=timedelta()))
    assert (first.lapsed, first.claims) == (1, 0)
    assert (await swept(engine, client, AT_ONCE)).claims == 1
    assert plant.query("SELECT state FROM claim WHERE id = %s", stored) == []
    assert plant.query("SELECT state FROM claim WHERE id = %s", under_way) == [("waiting_for_code",)]


async def test_a_claim_that_lapses_in_the_instant_it_is_repeated_goes_on(
    plant: Deployment, zhang: httpx2.Client
) -> None:
    headers, body = keyed(), {"name": "王示例", "phone": "13800138001"}
    plant.stop_worker()
    try:
        assert zhang.post("/v1/claims", json=body, headers=headers).status_code == 503
        lapsed = plant.query(
            "UPDATE operation SET finished_at = now(),"
            """ outcome = '{"refused": "request_lapsed", "facts": {}}'"""
            " WHERE kind = 'claim' AND outcome IS NULL RETURNING case_id"
        )
    finally:
        plant.start_worker()
    until = time.monotonic() + 30
    state = "SELECT state FROM claim WHERE id = %s"
    while plant.query(state, lapsed[0][0]) != [("waiting_for_code",)]:
        assert time.monotonic() < until
        await asyncio.sleep(0.2)
    assert zhang.post("/v1/claims", json=body, headers=headers).status_code == 202
