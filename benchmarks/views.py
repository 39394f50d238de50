"""Lists and searches of a unit among 1,000,000 backups, beside the same stack answering a constant page."""

import sys
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from statistics import quantiles
from typing import Any
from uuid import UUID

import httpx2
import psycopg
from pydantic import SecretStr
from sqlalchemy import make_url, text
from starlette.concurrency import run_in_threadpool

from api.tokens import UNITS, DevelopmentIssuer
from benchmarks.ground import Ground, seconds
from benchmarks.rows import TIMES, Block, Blocks, Row, Timed, alternate, bootstrapped, p50
from cli.preparation import prepare
from embedded.platform import REPOSITORY
from embedded.process import Child, free_port, reachable
from settings import Settings
from store.accounts import Profile, sign_in
from store.database import connect, writing
from store.encryption import ColumnCipher
from wire.keys import KeyRing

BACKUPS = 1_000_000
PER_UNIT = 10_000
PEOPLE = 100
"""Of each unit."""
REQUESTS = 100
"""Of each kind in a block."""
GOAL = 2
DATABASE = "bench_views"

SEARCHES: dict[str, dict[str, Any]] = {
    "number": {"number": "V0005000"},
    "title": {"title": "第5000号"},
    "common title": {"title": "肺癌"},
    "accession": {"accession": "HRA0005000"},
    "person": {"person_name": "陈示例"},
}


async def measure(ground: Ground) -> list[Row]:
    """Every kind of list and search and the constant, in alternating blocks."""
    settings = await run_in_threadpool(_database, ground)
    async with _looking(ground, settings) as http:
        await run_in_threadpool(_fill, settings)
        counted = await alternate(_kinds(http), times=REQUESTS, turn=TIMES)
    constant = counted.pop("constant")
    rows = [p50("views_constant_ms", "a constant page of 50 backups, p50", constant)]
    for kind, each in counted.items():
        what = (
            f"{kind}: p99 among {BACKUPS:,} backups, {PER_UNIT:,} of the unit, beside that of a constant page"
        )
        name = f"views_{kind.replace(' ', '_')}"
        rows += [
            _p99_ratio(f"{name}_vs_constant", what, each, constant),
            p50(f"{name}_ms", f"{kind}, p50", each),
        ]
    return rows


def _p99_ratio(id_: str, what: str, over: Blocks, under: Blocks) -> Row:
    """Of all requests of two kinds; the spread by drawing whole blocks."""
    both = list(zip(over, under, strict=True))
    spread = bootstrapped(both, _over_under)
    return Row(id_, what, _over_under(both), "ratio", 1, GOAL, n=len(both), spread=spread)


def _over_under(both: Sequence[tuple[Block, Block]]) -> float:
    over, under = zip(*both, strict=True)
    return _p99(over) / _p99(under)


def _p99(blocks: Blocks) -> float:
    return quantiles(chain.from_iterable(blocks), n=100)[98]


def _kinds(http: httpx2.AsyncClient) -> dict[str, Timed]:
    def got(path: str) -> Timed:
        return lambda: seconds(_require_found(http.get(path)))

    def searched(body: dict[str, Any]) -> Timed:
        return lambda: seconds(_require_found(http.post("/v1/unit/backup-searches", json=body)))

    return {
        "constant": got("/bare-page"),
        "list": got("/v1/unit/backups"),
        "own list": got("/v1/backups"),
        "list by state": got("/v1/unit/backups?state=numbered"),
        **{f"search by {name}": searched(body) for name, body in SEARCHES.items()},
    }


async def _require_found(answering: Awaitable[httpx2.Response]) -> None:
    answer = await answering
    if not answer.raise_for_status().json()["backups"]:
        raise AssertionError("what is looked for is there")


def _database(ground: Ground) -> Settings:
    """A migrated database of its own beside the platform's."""
    settings = ground.platform.settings
    url = make_url(settings.database_url.get_secret_value())
    with psycopg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
    ) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}".encode())
    own = SecretStr(url.set(database=DATABASE).render_as_string(hide_password=False))
    settings = settings.model_copy(update={"database_url": own})
    prepare(settings)
    return settings


def _fill(settings: Settings) -> None:
    """Units, people and backups; the first unit and its administrator are those who look."""
    engine = connect(settings.database_url.get_secret_value(), pool_size=1)
    cipher = ColumnCipher(KeyRing.load(settings.keys_file))
    with writing(engine) as writer:
        for number in range(1, PEOPLE):
            unit = UNITS["hospital"]
            profile = Profile(
                UUID(int=number), f"示例{number}", f"+861540001{number:04}", *unit, True, True, False
            )
            sign_in(writer, cipher, profile, datetime.now(UTC))
        held = {"unit": UNITS["hospital"].code, "many": BACKUPS, "of_unit": PER_UNIT, "people": PEOPLE}
        for statement in _FILL:
            writer.connection().execute(text(statement), held)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


_ACCOUNT_OF = "CAST('a' || lpad(to_hex(unit * 1000 + person), 31, '0') AS uuid)"
_FILL = (
    "SET LOCAL session_replication_role = replica",
    "DROP INDEX backup_by_title",
    """CREATE TEMPORARY TABLE place ON COMMIT DROP AS
    SELECT n, n / :of_unit AS unit, n % :people AS person, gen_random_uuid() AS id
    FROM generate_series(0, :many - 1) AS n""",
    "INSERT INTO unit SELECT 'unit' || n, 'unit' FROM generate_series(1, :many / :of_unit - 1) AS n",
    f"""INSERT INTO account
           (id, unit_code, real_name_verified, unit_authorised, unit_administrator, signed_in_at)
    SELECT {_ACCOUNT_OF}, 'unit' || unit, true, true, false, now()
    FROM generate_series(1, :many / :of_unit - 1) AS unit, generate_series(0, :people - 1) AS person""",
    f"""INSERT INTO backup
           (id, state, number, title, data_files, categories, creator_id, delegate_id, unit_code,
            created_at, saved_at, expires_at, closed_at)
    SELECT place.id, CASE WHEN n % 3 > 0 THEN 'numbered' ELSE 'draft' END,
           CASE WHEN n % 3 > 0 THEN 'V' || lpad(CAST(n AS text), 7, '0') END,
           '第' || n || '号肺癌多组学队列研究', 100, ARRAY['wes', 'wgs'],
           holder.id, holder.id, holder.unit_code,
           timestamptz '2026-01-01' + n * interval '7 seconds', now(), now(), now()
    FROM place CROSS JOIN LATERAL (
        SELECT CASE WHEN unit > 0 THEN {_ACCOUNT_OF}
                    WHEN person > 0 THEN CAST(lpad(to_hex(person), 32, '0') AS uuid)
                    ELSE (SELECT id FROM account WHERE unit_administrator) END AS id,
               CASE WHEN unit > 0 THEN 'unit' || unit ELSE :unit END AS unit_code
    ) AS holder""",
    """INSERT INTO manifest
    SELECT id, id, '', 'data-file', 'csv', 'file_list', 100, 0, ARRAY['wgs', 'wes'], ARRAY['gsa-human'],
           ARRAY[]::varchar[], now()
    FROM place""",
    "INSERT INTO backup_step SELECT id, 'data-files', 1, id, now(), id FROM place",
    "INSERT INTO manifest_accession SELECT 'HRA' || lpad(CAST(n AS text), 7, '0'), id FROM place",
    """CREATE INDEX backup_by_title ON backup USING gin (title_grams(unit_code, title))
    WHERE unit_code IS NOT NULL AND title IS NOT NULL""",
)
"""Valid by construction, so that no foreign key is looked up; the index of titles is made anew at the end.
Row by row both would take minutes."""


@asynccontextmanager
async def _looking(ground: Ground, settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """HTTP as the unit's administrator, to a process of our API with the constant page."""
    port = free_port(0)
    command: list[str | Path] = [sys.executable, "-m", "uvicorn", "benchmarks.bare_api:create", "--factory"]
    command += [f"--port={port}", f"--app-dir={REPOSITORY}", "--no-access-log"]
    log = ground.folder / "log" / "views-api.log"
    child = Child("views API", command, log, environment=settings.environment())
    try:
        child.wait_until(lambda: reachable(port))
        token = DevelopmentIssuer(Path(settings.jwks).parent).token("chen")
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60
        ) as http:
            (await http.get("/v1/unit/people")).raise_for_status()  # mirrors the account
            yield http
    finally:
        child.stop()
