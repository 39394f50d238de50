"""A million rows through the API: memory, speed beside plain COPY, and what the history notices of it."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

import psycopg

from api.commands import workflow_id
from benchmarks.ground import Ground, key
from benchmarks.lists import FORMATS, Format
from benchmarks.rows import Row

ROWS = 1_000_000
PEAK_MB = 300


class Stored(NamedTuple):
    """An uploaded list, and what it took."""

    backup_id: UUID
    content_id: UUID
    seconds: float
    peak_mb: float


async def measure(ground: Ground) -> list[Row]:
    """Upload a million rows in every format, each to a fresh API process; then one row, for its history."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(dir=ground.folder) as folder:
        path = Path(folder) / "list"
        for name, format_ in FORMATS.items():
            await asyncio.to_thread(format_.write, path, ROWS)
            stored = await _upload(ground, path, format_)
            if name == "csv":
                long = stored
                copying = await asyncio.to_thread(_copy_seconds, ground, stored.content_id)
            rows += _rows(name, stored, copying)
        await asyncio.to_thread(FORMATS["csv"].write, path, 1)
        short = await _upload(ground, path, FORMATS["csv"])
    return rows + await _histories(ground, long, short)


def _rows(name: str, stored: Stored, copying: float) -> list[Row]:
    what = f"{ROWS:,} rows as {name.replace('_', ' ')}"
    return [
        Row(
            f"upload_peak_mb_{name}",
            f"peak memory of the API, {what}",
            stored.peak_mb,
            "MB",
            goal=PEAK_MB,
        ),
        Row(
            f"upload_vs_copy_{name}",
            f"time of {what}, read, judged and stored, beside COPY of the rows stored of the csv",
            stored.seconds / copying,
            "ratio",
            floor=1,
        ),
        Row(
            f"upload_rows_per_s_{name}",
            f"rows per second, {what}",
            ROWS / stored.seconds,
            "rows/s",
            floor=ROWS / copying,
            better="higher",
        ),
    ]


async def _upload(ground: Ground, path: Path, format_: Format) -> Stored:
    backup_id = await ground.opened()
    async with ground.fresh_api() as http:
        started = time.perf_counter()
        answer = await http.post(
            f"/v1/backups/{backup_id}/steps/data-files/manifests",
            content=_parts(path),
            headers={**key(), "If-Match": '"0"', "Content-Type": format_.media_type},
        )
        taken = time.perf_counter() - started
        saved = answer.raise_for_status().json()
        return Stored(backup_id, UUID(saved["operation_id"]), taken, _peak_mb(ground.platform.pid("api")))


async def _parts(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(1 << 18):
            yield part


def _peak_mb(pid: int) -> float:
    """Peak resident memory of a process so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024 / 1e6


def _copy_seconds(ground: Ground, content_id: UUID) -> float:
    """Seconds of COPY of stored rows into the same table under another id, given up afterwards."""
    url = ground.platform.settings.database_url.get_secret_value().replace("+psycopg", "")
    chosen = f"SELECT '{uuid4()}'::uuid, line, record FROM manifest_row WHERE manifest_id = '{content_id}'"
    with psycopg.connect(url) as connection, tempfile.TemporaryFile(dir=ground.folder) as file:
        with connection.cursor() as cursor, cursor.copy(f"COPY ({chosen}) TO STDOUT") as copy:
            for part in copy:
                file.write(part)
        file.seek(0)
        started = time.perf_counter()
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY manifest_row (manifest_id, line, record) FROM STDIN") as copy,
        ):
            while part := file.read(1 << 18):
                copy.write(part)
        taken = time.perf_counter() - started
        connection.rollback()
    return taken


async def _histories(ground: Ground, long: Stored, short: Stored) -> list[Row]:
    events, size = await ground.history(workflow_id(long.backup_id))
    least_events, least_size = await ground.history(workflow_id(short.backup_id))
    what = f"of a draft with a list of {ROWS:,} rows; the floor: of one row"
    return [
        Row(
            "history_events_million_rows",
            f"history events {what}",
            events,
            "events",
            floor=least_events,
            goal=least_events,
        ),
        Row("history_bytes_million_rows", f"history bytes {what}", size, "bytes", floor=least_size),
    ]
