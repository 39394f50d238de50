"""Handovers: of 100,000 backups, confirmed to done, beside the same transaction written by hand."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
from sqlalchemy import text
from starlette.concurrency import run_in_threadpool

from api.tokens import DevelopmentIssuer
from benchmarks.ground import Ground, key
from benchmarks.rows import Row, ratio
from schemas.contracts.delegation import handover_workflow
from store.accounts import Profile, sign_in
from store.database import writing
from store.encryption import ColumnCipher
from wire.keys import KeyRing

BACKUPS = 100_000
FEWER = 1_001
"""As few as need an approval like many."""
ROUNDS = 2


async def measure(ground: Ground) -> list[Row]:
    """Handovers and SQL in turn; every round has people and backups of its own."""
    moves, statements, people = [], [], []
    async with _administrators(ground) as (first, second):
        for _ in range(ROUNDS):
            people.append(await run_in_threadpool(_holder, ground, BACKUPS))
            moves.append([await _handover_seconds(ground, people[-1], first, second)])
            statements.append([await run_in_threadpool(_sql_seconds, ground)])
        few = await run_in_threadpool(_holder, ground, FEWER)
        await _handover_seconds(ground, few, first, second)
    events, size = await ground.history(handover_workflow(people[0]))
    fewer_events, fewer_size = await ground.history(handover_workflow(few))
    what = f"handover of {BACKUPS:,} backups, confirmed and approved to done, beside its transaction in SQL"
    history = f"of a handover of {BACKUPS:,} backups; the floor: of {FEWER:,}"
    return [
        ratio("handover_vs_sql", what, moves, statements, floor=1, goal=1.3),
        Row(
            "handover_history_events",
            f"history events {history}",
            events,
            "events",
            floor=fewer_events,
            goal=fewer_events,
        ),
        Row("handover_history_bytes", f"history bytes {history}", size, "bytes", floor=fewer_size),
    ]


async def _handover_seconds(
    ground: Ground, holder: UUID, first: httpx2.AsyncClient, second: httpx2.AsyncClient
) -> float:
    people = {"from": str(holder), "to": str(await run_in_threadpool(_holder, ground, 0))}
    shown = await _answered(first, "/v1/handovers/previews", people)
    started = time.perf_counter()
    waiting = await _answered(first, "/v1/handovers", people | {"digest": shown["digest"]})
    await _answered(second, f"/v1/handovers/{waiting['id']}/approvals", {"decision": "agree"})
    done = await ground.client.get_workflow_handle(handover_workflow(holder)).result()
    taken = time.perf_counter() - started
    if done["moved"] != shown["backups"]:
        raise AssertionError("all that was shown is handed over")
    return taken


async def _answered(http: httpx2.AsyncClient, path: str, body: dict[str, Any]) -> Any:
    return (await http.post(path, json=body, headers=key())).raise_for_status().json()


@asynccontextmanager
async def _administrators(ground: Ground) -> AsyncIterator[tuple[httpx2.AsyncClient, httpx2.AsyncClient]]:
    """HTTP as two administrators of the unit."""
    platform = ground.platform
    issuer = DevelopmentIssuer(Path(platform.settings.jwks).parent)
    tokens = [issuer.token(who, roles=("person", "unit_administrator")) for who in ("chen", "li")]
    clients = [
        httpx2.AsyncClient(
            base_url=platform.api_url, headers={"Authorization": f"Bearer {token}"}, timeout=600
        )
        for token in tokens
    ]
    async with clients[0] as first, clients[1] as second:
        for each in clients:
            (await each.post("/v1/me/sign-ins", headers=key())).raise_for_status()
        yield first, second


def _holder(ground: Ground, backups: int) -> UUID:
    """A new member of the unit who holds so many backups."""
    account, now = uuid4(), datetime.now(UTC)
    cipher = ColumnCipher(KeyRing.load(ground.platform.settings.keys_file))
    profile = Profile(account, "钱示例", "+8615400000099", ground.unit_code, "", True, True, False)
    facts = {"account": account, "unit": ground.unit_code, "at": now, "backups": backups}
    with writing(ground.engine) as writer:
        sign_in(writer, cipher, profile, now, ground.rulebook.release.procedure("claiming").matching)
        writer.connection().execute(_NEW_BACKUPS, facts)
    return account


def _sql_seconds(ground: Ground) -> float:
    """The transaction of a handover, written by hand: move, note who held and holds what, keep the ledger."""
    old, new = _holder(ground, BACKUPS), _holder(ground, 0)
    asked = {"old": old, "new": new, "unit": ground.unit_code, "operation": uuid4()}
    url = ground.platform.settings.database_url.get_secret_value().replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        started = time.perf_counter()
        for statement in _BY_HAND:
            connection.execute(statement.encode(), asked)
        connection.commit()
        return time.perf_counter() - started


_NEW_BACKUPS = text("""
    WITH made AS (
        INSERT INTO backup (
            id, state, number, creator_id, delegate_id, unit_code, created_at, saved_at, expires_at
        )
        SELECT gen_random_uuid(), 'numbered', gen_random_uuid(), :account, :account, :unit, :at, :at, :at
        FROM generate_series(1, :backups)
        RETURNING id
    )
    INSERT INTO delegation (backup_id, since, delegate_id, unit_code, operation_id)
    SELECT id, :at, :account, :unit, gen_random_uuid() FROM made
""")
_BY_HAND = (
    "UPDATE backup SET delegate_id = %(new)s WHERE delegate_id = %(old)s AND unit_code = %(unit)s",
    (
        "UPDATE delegation d SET until = now(), ended_by = %(operation)s FROM backup b"
        " WHERE b.id = d.backup_id AND b.delegate_id = %(new)s AND d.until IS NULL"
    ),
    (
        "INSERT INTO delegation (backup_id, since, delegate_id, unit_code, operation_id)"
        " SELECT id, now(), %(new)s, %(unit)s, %(operation)s FROM backup WHERE delegate_id = %(new)s"
    ),
    (
        "INSERT INTO operation (id, case_id, kind, request_digest, asked_at, outcome, finished_at)"
        " VALUES (%(operation)s, %(old)s, 'move_handover', '', now(), '{}', now())"
    ),
    (
        "INSERT INTO notice (id, account_id, kind, created_at)"
        " SELECT gen_random_uuid(), account, 'handover_given', now()"
        " FROM unnest(ARRAY[%(old)s, %(new)s]) AS account"
    ),
)
