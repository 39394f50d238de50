"""The rule engine alone: a million records beside look-ups in a dict."""

import asyncio
import resource
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice
from multiprocessing import get_context
from statistics import median
from typing import Any, NamedTuple

from benchmarks import engine_columns
from benchmarks.ground import Ground
from benchmarks.lists import rows
from benchmarks.rows import BLOCKS, Row, interval
from embedded.platform import REPOSITORY
from rules.engine.judge import Judge
from rules.engine.load import load_rulebook
from rules.engine.normalise import RowNormaliser
from rules.engine.release import Release

RECORDS = 1_000_000
IN_BLOCK = RECORDS // BLOCKS
DIFFERENT = 10_000
FAULTY = 20
"""One record in so many."""

Record = Mapping[str, Any]


class Measured(NamedTuple):
    """Seconds by block, and peak memory of a process that did nothing else."""

    judged: list[float]
    looked_up: list[float]
    peak_mib: float


async def measure(ground: Ground) -> list[Row]:
    """Judge a million records in a process of their own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        loop = asyncio.get_running_loop()
        measured = await loop.run_in_executor(process, _measured)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        more = await loop.run_in_executor(process, engine_columns.measured)
    ratios = [judged / floor for judged, floor in zip(measured.judged, measured.looked_up, strict=True)]
    microseconds = [1e6 * block / IN_BLOCK for block in measured.judged]
    floor = 1e6 * median(measured.looked_up) / IN_BLOCK
    what = f"{RECORDS:,} records, {100 // FAULTY} % faulty"
    return [
        Row(
            "judge_vs_dict",
            f"{what}, judged, beside look-ups in a dict",
            median(ratios),
            "ratio",
            floor=1,
            n=BLOCKS,
            spread=interval(ratios),
        ),
        Row(
            "judge_us_per_record",
            f"{what}, time for each",
            median(microseconds),
            "µs",
            floor=floor,
            n=BLOCKS,
            spread=interval(microseconds),
        ),
        Row("judge_peak_mib", f"{what}, peak memory of the process", measured.peak_mib, "MiB"),
        *more,
    ]


def _measured() -> Measured:
    release = load_rulebook(REPOSITORY / "rules")
    judge = Judge(release)
    normaliser = RowNormaliser(release, "data-file", "file_list")
    records = [normaliser.record(row) for row in rows(DIFFERENT, FAULTY)]
    allowed = _allowed(release)
    judged, looked_up = [], []
    for _ in range(1 + BLOCKS):
        looked_up.append(_seconds(_look_up(allowed, record) for record in _block(records)))
        judged.append(_seconds(judge.judge_rows("data-file", enumerate(_block(records), start=2))))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(judged[1:], looked_up[1:], peak)


def _block(records: Sequence[Record]) -> Iterator[Record]:
    return islice(cycle(records), IN_BLOCK)


def _seconds(work: Iterable[object]) -> float:
    started = time.perf_counter()
    deque(work, maxlen=0)
    return time.perf_counter() - started


Allowed = dict[tuple[Any, Any, Any], frozenset[str]]


def _allowed(release: Release) -> Allowed:
    """Formats by category, data type and repository: the matrix and nothing else."""
    return {
        (cell.category, cell.data_type, repository): frozenset(
            release.repositories[repository].formats.get(cell.data_type, ())
        )
        for cell in release.cells
        for repository in cell.repositories
    }


def _look_up(allowed: Allowed, record: Record) -> bool:
    """What a program without rule files would do at the very least."""
    formats = allowed.get((record.get("category"), record.get("data_type"), record.get("repository")))
    return formats is not None and record.get("file_format") in formats and len(record.get("md5", "")) == 32
