"""Imports a file of legacy backups: chunk by chunk, each in a transaction that also records how far it came.

An import that was interrupted goes on where it stopped when the same file is imported again. What is there
already, from whatever file, is passed over; the same number with other content is told and not changed.
"""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar

import polars as pl
import psycopg
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from manifests.reader import Part, open_manifest
from manifests.rows import Limits
from rules.engine.procedures import Matching
from schemas.tables.backups import BackupState
from schemas.tables.legacy import LegacyImport
from store.copying import copy_frame
from store.database import Writer, writing
from store.encryption import ColumnCipher
from store.legacy_rows import FAULTS, LegacyRows, Person, Read

Item = TypeVar("Item")

CHUNK = 20_000
"""Rows of one transaction."""
LIMITS = Limits(rows=10_000_000)


class ImportRunningError(Exception):
    """Another import is at work; one at a time."""


@dataclass
class Tally:
    """What became of the rows of a file.

    Attributes:
        imported: Numbered backups added.
        drafts: Drafts counted.
        repeated: Rows that were there already, or twice in the file.
        faulty: Rows that could not be imported, conflicts among them.
    """

    imported: int = 0
    drafts: int = 0
    repeated: int = 0
    faulty: int = 0

    def __add__(self, other: Self) -> "Tally":
        return Tally(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Import:
    """How an import stands.

    Attributes:
        digest: Of the file and of the rules it is read by.
        resumed: It had been begun before.
        finished: It is done.
    """

    digest: str
    line: int
    tally: Tally
    resumed: bool
    finished: bool


def import_file(
    engine: Engine,
    cipher: ColumnCipher,
    rules: Matching,
    path: Path,
    tell: Callable[[Import], None] = lambda _: None,
) -> Import:
    """Import a file, or go on with it.

    Args:
        engine: The database.
        cipher: Encrypts and indexes names and phones.
        rules: How they are compared.
        path: CSV, TSV, NDJSON or XLSX.
        tell: Called after each chunk.

    Raises:
        UnreadableFile: It is no list, or cannot be read further.
        MissingColumns: A column is missing that every row needs.
        ImportRunningError: Another import is at work.
    """
    manifest = open_manifest(path, None, LIMITS)
    rows = LegacyRows(manifest.header, rules, cipher)
    digest = _digest(path, rules)
    with _alone(engine):
        state = _begun(engine, digest)
        for line, read in _ahead(_read(manifest.parts(CHUNK), state.line, rows)):
            state = _store(engine, replace(state, line=line), read)
            tell(state)
        return _finished(engine, state)


def _read(parts: Iterator[Part], line: int, rows: LegacyRows) -> Iterator[tuple[int, Read]]:
    """What stands below a line, chunk by chunk, each with its last line."""
    for whole in parts:
        part = _after(whole, line)
        lines = [*part.lines.tail(1), *(fault.line or 0 for fault in part.faults)]
        if lines:
            yield max(lines), rows.read(part)


def _ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each made while the one before is still in use: PostgreSQL and we work at once."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def _digest(path: Path, rules: Matching) -> str:
    """Names the file and the rules that read it: other rules may take rows that these refuse."""
    digest = hashlib.sha256(rules.model_dump_json().encode())
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Hold the lock of all imports; PostgreSQL gives it back when this process dies."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET lock_timeout = '10s'"))
        try:
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        except OperationalError as error:
            if isinstance(error.orig, psycopg.errors.LockNotAvailable):
                raise ImportRunningError from None
            raise
        yield
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})


def _begun(engine: Engine, digest: str) -> Import:
    with writing(engine) as writer:
        known = writer.get(LegacyImport, digest)
        if known is None:
            writer.add(LegacyImport(digest=digest, counts=asdict(Tally())))
            return Import(digest, 0, Tally(), resumed=False, finished=False)
        return Import(
            digest, known.line, Tally(**known.counts), resumed=True, finished=bool(known.finished_at)
        )


def _finished(engine: Engine, state: Import) -> Import:
    with writing(engine) as writer:
        row = writer.get_one(LegacyImport, state.digest)
        row.finished_at = row.finished_at or datetime.now(UTC)
        writer.connection().execute(_ANALYZE)
    return replace(state, finished=True)


def _after(part: Part, line: int) -> Part:
    """What stands below a line."""
    below = part.lines > line
    faults = [fault for fault in part.faults if (fault.line or 0) > line]
    return Part(part.lines.filter(below), part.cells.filter(below), faults)


def _store(engine: Engine, state: Import, read: Read) -> Import:
    """Store a chunk, and that it is stored."""
    with writing(engine) as writer:
        _add_registrants(writer, read.persons)
        new, conflicts = _split(writer, read.backups)
        _add_backups(writer, new)
        drafts = _add_drafts(writer, read.drafts)
        faults = pl.concat([read.faults, conflicts])
        copy_frame(writer, "legacy_import_fault", faults, digest=state.digest)
        repeated = len(read.backups) - len(new) - len(conflicts) + len(read.drafts) - drafts
        tally = state.tally + Tally(len(new), drafts, repeated, len(faults))
        row = writer.get_one(LegacyImport, state.digest)
        row.line, row.counts = state.line, asdict(tally)
        return replace(state, tally=tally)


def _add_registrants(writer: Writer, persons: list[Person]) -> None:
    if persons:
        columns = dict(zip(Person._fields, map(list, zip(*persons, strict=True)), strict=True))
        writer.connection().execute(_REGISTRANTS, columns)


def _split(writer: Writer, backups: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The backups whose number is not there, and as faults those whose number is there with other content."""
    known = pl.DataFrame(
        writer.connection().execute(_KNOWN, {"numbers": backups["number"].to_list()}).all(),
        schema={name: backups.schema[name] for name in _CONTENT},
        orient="row",
    )
    new = backups.join(known, on="number", how="anti").unique("number", keep="first", maintain_order=True)
    if len(new) == len(backups):
        return new, pl.DataFrame(schema=FAULTS)
    there = pl.concat([known, new.select(_CONTENT)])
    others = backups.join(new.select("line"), on="line", how="anti")
    conflicts = others.join(there, on=list(_CONTENT), how="anti", nulls_equal=True)
    return new, conflicts.select(
        "line",
        pl.lit(None, pl.String).alias("column"),
        pl.lit("legacy.number_conflict").alias("code"),
        pl.lit("{}").alias("facts"),
    )


def _add_backups(writer: Writer, backups: pl.DataFrame) -> None:
    ids = [_id(registrant, number) for registrant, number in backups.select(_IDENTITY).iter_rows()]
    midnight = (pl.col("day").cast(pl.String) + " 00:00:00+08").alias("created_at")
    rows = backups.select(
        pl.Series("id", ids, pl.String),
        *_CONTENT[:3],
        midnight,
        midnight.alias("saved_at"),
        midnight.alias("closed_at"),
    )
    copy_frame(writer, "backup", rows, state=BackupState.NUMBERED.value)


def _id(registrant: str, content: str) -> str:
    """A UUID (version 8, RFC 9562) that follows from a registrant, whose id is keyed, and what is theirs."""
    digest = hashlib.sha256(f"{registrant} {content}".encode()).hexdigest()
    return f"{digest[:12]}8{digest[13:16]}a{digest[17:32]}"


def _add_drafts(writer: Writer, drafts: pl.DataFrame) -> int:
    """Count drafts that are not counted yet; two of one registrant, day and title are one."""
    if drafts.is_empty():
        return 0
    ids = [_id(registrant, f"{day} {title}") for registrant, day, title in drafts.iter_rows()]
    columns = {"id": ids, "registrant_id": drafts["registrant_id"].to_list()}
    return writer.connection().execute(_DRAFTS, columns).rowcount


LOCK = 0x68677269 << 8 | 0x6C
"""Advisory lock of all imports."""
_IDENTITY = ("registrant_id", "number")
_CONTENT = ("registrant_id", "number", "title", "day")
_KNOWN = text(
    """
    SELECT registrant_id::text, number, title, (created_at AT TIME ZONE 'Asia/Shanghai')::date
    FROM backup WHERE number = ANY(:numbers)
    """
)
_ANALYZE = text("ANALYZE backup, legacy_registrant, legacy_draft")
"""Or the first moves go by plans for nearly empty tables: minutes instead of seconds for many backups."""
_REGISTRANTS = text(
    """
    INSERT INTO legacy_registrant (id, name, phone, person_index, unit_code, unit_name)
    SELECT * FROM unnest(
        (:id)::uuid[], (:name)::bytea[], (:phone)::bytea[], (:person_index)::bytea[],
        (:unit_code)::text[], (:unit_name)::text[]
    )
    ON CONFLICT (id) DO NOTHING
    """
)
_DRAFTS = text(
    """
    INSERT INTO legacy_draft (id, registrant_id) SELECT * FROM unnest((:id)::uuid[], (:registrant_id)::uuid[])
    ON CONFLICT (id) DO NOTHING
    """
)
