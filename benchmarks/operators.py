"""Operators: the list of stuck work and its searches over 100,000 cases, and a scan's look at the records."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles

import httpx2
from sqlalchemy import text
from starlette.concurrency import run_in_threadpool

from api.tokens import DevelopmentIssuer
from benchmarks.ground import Ground, seconds
from benchmarks.rows import Row, interval
from store import stuck
from store.database import rehearsing
from store.stuck import Limits

CASES = 100_000
"""Open drafts, each stuck for one reason; nothing is saved in them, not even a title."""
TIMES = 50
SCANS = 10
GOAL = 1.0
FILL = (
    """
    INSERT INTO backup (id, state, creator_id, delegate_id, unit_code, created_at, saved_at, expires_at)
    SELECT gen_random_uuid(), 'draft', :account, :account, :unit, now(), now(),
           now() + interval '180 days' - n * interval '1 second'
    FROM generate_series(1, :cases) AS n
    """,
    """
    INSERT INTO stuck_work (workflow_id, case_id, case_kind, cause, activity, local, since, seen_at, attempt,
                            failure, people, unit_code)
    SELECT 'backup-' || id, id, 'backup',
           (ARRAY['activity_retrying', 'blocked', 'task_failures', 'unanswered'])[1 + nth % 4], 'look_up',
           false, now() - nth * interval '1 second', now(), 5, 'ConnectionError', 1 + nth % 7,
           CASE WHEN nth % 100 = 0 THEN unit_code ELSE 'unit' || nth % 100 END
    FROM (
        SELECT id, unit_code, row_number() OVER () AS nth FROM backup
        WHERE delegate_id = :account AND title IS NULL
    ) AS cases
    """,
)
EMPTY = (
    "DELETE FROM stuck_work",
    "CREATE INDEX bench_corrects ON backup (corrects_id)",  # or each deletion looks through all backups
    "DELETE FROM backup WHERE delegate_id = :account AND title IS NULL",
    "DROP INDEX bench_corrects",
)
SEARCHES = {
    "list": "",
    "by_cause": "&cause=blocked",
    "by_unit": "&unit={unit}",
    "nothing": "&cause=wait_past_due",
}


async def measure(ground: Ground) -> list[Row]:
    """Every kind of request in turn; then scans, of whose findings nothing is kept."""
    await run_in_threadpool(_run, ground, FILL)
    async with _operator(ground) as http:
        taken: dict[str, list[float]] = {name: [] for name in (*SEARCHES, "next_page")}
        for _ in range(TIMES):
            for name, query in SEARCHES.items():
                path = f"/v1/ops/stuck?page_size=50{query.format(unit=ground.unit_code)}"
                taken[name].append(await seconds(_asked(http, path)))
            token = (await http.get("/v1/ops/stuck?page_size=1000")).json()["pagination"]
            path = f"/v1/ops/stuck?page_size=50&page_token={token['next_page_token']}"
            taken["next_page"].append(await seconds(_asked(http, path)))
    scans = [await run_in_threadpool(_scan_seconds, ground) for _ in range(SCANS)]
    await run_in_threadpool(_run, ground, EMPTY)
    rows = [
        Row(
            f"stuck_{name}_p99_s",
            f"stuck work, {name.replace('_', ' ')}: p99 among {CASES:,} rows",
            quantiles(each, n=100)[98],
            "s",
            goal=GOAL,
            n=len(each),
        )
        for name, each in taken.items()
    ]
    what = f"a scan's look at the records of {CASES:,} open drafts, all of them stuck"
    middle = sorted(scans)[SCANS // 2]
    return [*rows, Row("stuck_scan_records_s", what, middle, "s", goal=GOAL, n=SCANS, spread=interval(scans))]


async def _asked(http: httpx2.AsyncClient, path: str) -> None:
    (await http.get(path)).raise_for_status()


def _scan_seconds(ground: Ground) -> float:
    now, limits = datetime.now(UTC), Limits()
    started = time.perf_counter()
    with rehearsing(ground.engine) as writer:
        stuck.note_from_records(writer, limits, now)
        stuck.clear(writer, ["timer_past_due", "wait_past_due", "delivery_failed"], now, now)
    return time.perf_counter() - started


def _run(ground: Ground, statements: Sequence[str]) -> None:
    """Change the ground's database, and let it know what it holds."""
    facts = {"account": ground.account_id, "unit": ground.unit_code, "cases": CASES}
    with ground.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in (*statements, "VACUUM ANALYZE backup", "VACUUM ANALYZE stuck_work"):
            connection.execute(
                text(statement), {name: facts[name] for name in facts if f":{name}" in statement}
            )


@asynccontextmanager
async def _operator(ground: Ground) -> AsyncIterator[httpx2.AsyncClient]:
    """HTTP as an operator."""
    platform = ground.platform
    token = DevelopmentIssuer(Path(platform.settings.jwks).parent).token("operator")
    async with httpx2.AsyncClient(
        base_url=platform.api_url, headers={"Authorization": f"Bearer {token}"}, timeout=60
    ) as http:
        yield http
