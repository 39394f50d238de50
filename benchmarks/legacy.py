"""Legacy backups: an import beside plain COPY, a move beside the same transaction written by hand."""

import asyncio
import csv
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Literal
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import text

from api.attribution import begin
from benchmarks.ground import Ground
from benchmarks.rows import Row, interval
from rules.engine.procedures import Matching
from store.accounts import Profile, sign_in
from store.database import writing
from store.encryption import ColumnCipher
from store.legacy_import import import_file
from wire.keys import KeyRing

ROWS = 100_000
OF_EACH = 10
"""Backups of one registrant in the imported file."""
ROUNDS = 2
COLUMNS = "id, state, number, title, registrant_id, created_at, saved_at, closed_at"
HEADER = ("姓名", "手机号", "单位", "备份编号", "日期", "项目名称", "状态")


async def measure(ground: Ground) -> list[Row]:
    """Imports and COPY in turn, attributions and SQL in turn; every round has rows of its own."""
    people = _People(ground)
    imports, copies, moves, statements, accounts = [], [], [], [], []
    for round_ in range(ROUNDS):
        imports.append(await asyncio.to_thread(people.import_seconds, round_))
        copies.append(await asyncio.to_thread(people.copy_seconds, round_))
    for _ in range(ROUNDS):
        accounts.append(await asyncio.to_thread(people.registrant, ROWS))
        moves.append(await _attribution_seconds(ground, accounts[-1]))
        statements.append(await asyncio.to_thread(people.sql_seconds))
    alone = await asyncio.to_thread(people.registrant, 1)
    await _attribution_seconds(ground, alone)
    events, size = await ground.history(f"attribution-{accounts[0]}")
    least_events, least_size = await ground.history(f"attribution-{alone}")
    history = f"of an attribution of {ROWS:,} backups; the floor: of one"
    return [
        _ratio(
            "legacy_import_speed_vs_copy",
            f"speed of importing {ROWS:,} legacy backups as csv, beside COPY of the stored rows",
            copies,
            imports,
            goal=0.5,
            better="higher",
        ),
        _ratio(
            "legacy_move_vs_sql",
            f"attribution of {ROWS:,} legacy backups, asked to done, beside its transaction in SQL",
            moves,
            statements,
            goal=1.3,
        ),
        Row(
            "legacy_history_events",
            f"history events {history}",
            events,
            "events",
            floor=least_events,
            goal=least_events,
        ),
        Row("legacy_history_bytes", f"history bytes {history}", size, "bytes", floor=least_size),
    ]


def _ratio(
    id_: str,
    what: str,
    over: list[float],
    under: list[float],
    *,
    goal: float,
    better: Literal["lower", "higher"] = "lower",
) -> Row:
    ratios = [above / below for above, below in zip(over, under, strict=True)]
    return Row(id_, what, median(ratios), "ratio", 1, goal, better, len(ratios), interval(ratios))


async def _attribution_seconds(ground: Ground, account: UUID) -> float:
    handle = ground.client.get_workflow_handle(f"attribution-{account}")
    started = time.perf_counter()
    await begin(ground.client, ground.queue, account)
    await handle.result()
    return time.perf_counter() - started


class _People:
    """Legacy registrants, and the accounts of the same persons."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._url = ground.platform.settings.database_url.get_secret_value().replace("+psycopg", "")
        self._cipher = ColumnCipher(KeyRing.load(ground.platform.settings.keys_file))
        self._rules: Matching = ground.rulebook.release.procedure("claiming").matching
        self._registrants = 0

    def import_seconds(self, round_: int) -> float:
        """Import a file of new rows."""
        with tempfile.TemporaryDirectory(dir=self._ground.folder) as folder:
            path = Path(folder) / "export.csv"
            self._write(path, round_, ROWS)
            started = time.perf_counter()
            done = import_file(self._ground.engine, self._cipher, self._rules, path)
            taken = time.perf_counter() - started
        assert done.tally.imported == ROWS
        return taken

    def copy_seconds(self, round_: int) -> float:
        """COPY the rows just imported into the same table, under other ids and numbers; then give it up."""
        chosen = (
            "SELECT gen_random_uuid(), state, 'C' || number, title, registrant_id, created_at, saved_at,"
            f" closed_at FROM backup WHERE number LIKE 'BF{round_:02}%'"
        )
        with psycopg.connect(self._url) as connection, tempfile.TemporaryFile() as file:
            with connection.cursor() as cursor, cursor.copy(f"COPY ({chosen}) TO STDOUT") as copy:
                for part in copy:
                    file.write(part)
            file.seek(0)
            started = time.perf_counter()
            with (
                connection.cursor() as cursor,
                cursor.copy(f"COPY backup ({COLUMNS}) FROM STDIN") as copy,
            ):
                while part := file.read(1 << 18):
                    copy.write(part)
            taken = time.perf_counter() - started
            connection.rollback()
        return taken

    def registrant(self, backups: int) -> UUID:
        """An account, and a legacy registrant who is the same person, with so many backups."""
        with tempfile.TemporaryDirectory(dir=self._ground.folder) as folder:
            path = Path(folder) / "export.csv"
            self._write(path, 50 + self._registrants, 1)
            import_file(self._ground.engine, self._cipher, self._rules, path)
        name, phone = _person(50 + self._registrants, 0)
        number = f"BF{50 + self._registrants:02}0000000"
        self._registrants += 1
        more = text(
            "INSERT INTO backup (id, state, number, registrant_id, created_at, saved_at)"
            " SELECT gen_random_uuid(), state, number || '-' || n, registrant_id, created_at, saved_at"
            " FROM backup, generate_series(2, :backups) n WHERE number = :number"
        )
        account = uuid4()
        profile = Profile(account, name, phone, self._ground.unit_code, "", True, True, False)
        with writing(self._ground.engine) as writer:
            writer.connection().execute(more, {"backups": backups, "number": number})
            sign_in(writer, self._cipher, profile, datetime.now(UTC), self._rules)
        return account

    def sql_seconds(self) -> float:
        """The transaction of a move, written by hand: lock, move, note who holds what, keep the ledger."""
        account = self.registrant(ROWS)
        asked = {"account": account, "unit": self._ground.unit_code, "operation": uuid4(), "notice": uuid4()}
        with psycopg.connect(self._url) as connection:
            found = connection.execute(
                "SELECT r.id FROM legacy_registrant r JOIN account a USING (person_index) WHERE a.id = %s",
                [account],
            ).fetchone()
            assert found is not None
            asked["registrant"] = found[0]
            started = time.perf_counter()
            for statement in _MOVE_BY_HAND:
                connection.execute(statement.encode(), asked)
            connection.commit()
            return time.perf_counter() - started

    def _write(self, path: Path, round_: int, rows: int) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            for n in range(rows):
                name, phone = _person(round_, n // OF_EACH)
                number, day = f"BF{round_:02}{n:07}", f"2019-05-{n % 28 + 1:02}"
                writer.writerow(
                    [name, phone, self._ground.unit_code, number, day, f"人群队列研究第 {n} 期", "已编号"]
                )


def _person(round_: int, n: int) -> tuple[str, str]:
    name = "".join(chr(0x4E00 + part) for part in (round_, n % 500, n // 500))
    return name, f"138{round_:02}{n:06}"


_MOVE_BY_HAND = (
    "SELECT id FROM legacy_registrant WHERE id = %(registrant)s FOR UPDATE",
    (
        "UPDATE backup SET delegate_id = %(account)s, unit_code = %(unit)s"
        " WHERE registrant_id = %(registrant)s AND delegate_id IS NULL AND state = 'numbered'"
    ),
    (
        "INSERT INTO delegation (backup_id, since, delegate_id, unit_code, operation_id)"
        " SELECT id, now(), %(account)s, %(unit)s, %(operation)s"
        " FROM backup WHERE registrant_id = %(registrant)s"
    ),
    (
        "INSERT INTO operation (id, case_id, kind, request_digest, asked_at, outcome, finished_at)"
        " VALUES (%(operation)s, %(account)s, 'attribution', '', now(), '{}', now())"
    ),
    (
        "INSERT INTO notice (id, account_id, kind, created_at)"
        " VALUES (%(notice)s, %(account)s, 'attribution', now())"
    ),
)
