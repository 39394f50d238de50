"""May this backup be used? Beside a row read by its primary key, by one process through the same stack."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import text

from api.tokens import DevelopmentIssuer
from benchmarks.ground import Ground, seconds
from benchmarks.rows import Row, alternate, p50, ratio
from embedded.platform import REPOSITORY
from embedded.process import Child, free_port, reachable
from schemas.contracts.backups import Submit
from workflows.backup_creation import BackupCreation

BATCH = 500
BATCHES = 5
"""With the single questions less than half of a minute's quota."""
GOAL = 2


async def measure(ground: Ground) -> list[Row]:
    """One question and the row, in alternating blocks; then some batches of 500."""
    backup_id = await ground.filled()
    await ground.update(backup_id, BackupCreation.submit, Submit(account_id=ground.account_id))
    async with _asking(ground) as http:
        kinds = _Kinds(http, ground, backup_id)
        times = await alternate({"select": kinds.select, "question": kinds.question})
        times["batch"] = [[await kinds.batch() for _ in range(BATCHES)]]
    what = "POST /v1/eligibility-checks, signed, beside a primary-key SELECT through the same stack"
    return [
        ratio("eligibility_vs_select", what, times["question"], times["select"], floor=1, goal=GOAL),
        p50("eligibility_ms", "one question, p50", times["question"]),
        p50("eligibility_select_ms", "the row by its primary key, p50", times["select"]),
        p50("eligibility_batch_ms", f"a batch of {BATCH} questions, p50", times["batch"]),
    ]


class _Kinds:
    """One method for each thing timed."""

    def __init__(self, http: httpx2.AsyncClient, ground: Ground, backup_id: UUID) -> None:
        self._http, self._backup_id = http, backup_id
        with ground.engine.connect() as connection:
            number = text("SELECT number FROM backup WHERE id = :id")
            found = connection.execute(number, {"id": backup_id}).scalar_one()
        self._question = {"account": str(ground.account_id), "backup_number": found}

    async def select(self) -> float:
        return await seconds(self._answered("GET", f"/bare/{self._backup_id}", None))

    async def question(self) -> float:
        return await seconds(self._answered("POST", "/v1/eligibility-checks", self._question))

    async def batch(self) -> float:
        body = {"checks": [self._question] * BATCH}
        return await seconds(self._answered("POST", "/v1/eligibility-checks/batches", body))

    async def _answered(self, method: str, path: str, body: Any) -> None:
        answer = (await self._http.request(method, path, json=body)).raise_for_status().json()
        if path.endswith("checks") and not answer["eligible"]:
            raise AssertionError("the delegate may use the backup")


@asynccontextmanager
async def _asking(ground: Ground) -> AsyncIterator[httpx2.AsyncClient]:
    """HTTP as a system that asks, to a process of our API with the bare address."""
    settings, port = ground.platform.settings, free_port(0)
    command: list[str | Path] = [sys.executable, "-m", "uvicorn", "benchmarks.bare_api:create", "--factory"]
    command += [f"--port={port}", f"--app-dir={REPOSITORY}", "--no-access-log"]
    log = ground.folder / "log" / "bare-api.log"
    child = Child("bare API", command, log, environment=settings.environment())
    try:
        child.wait_until(lambda: reachable(port))
        token = DevelopmentIssuer(Path(settings.jwks).parent).service_token("benchmark", "eligibility")
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60
        ) as http:
            yield http
    finally:
        child.stop()
