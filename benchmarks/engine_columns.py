"""Lists judged by column, single records, many combinations, loading: beside a look-up in plain Python."""

import json
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema_rs
import polars as pl

from benchmarks.engine_records import FAULTY, Kind, hand_written, records
from benchmarks.lists import rows, write_csv
from benchmarks.rows import BLOCKS, Row, interval
from embedded.platform import REPOSITORY
from manifests.reader import open_manifest
from rules.engine.gate import gate_schema
from rules.engine.judge import Judge
from rules.engine.lists import ListJudge
from rules.engine.load import load_rulebook
from rules.engine.normalise import RowNormaliser
from rules.engine.release import Release
from rules.engine.sentences import sentence
from rules.engine.table import DecisionTable
from schemas.findings import Finding
from store.manifests import TOGETHER

RECORDS = 1_000_000
IN_BLOCK = RECORDS // BLOCKS
SINGLE = 2_000
SUBJECT = "data-file"


def measured() -> list[Row]:
    """All figures, by CPU time, each block beside the floor of the same block."""
    release = load_rulebook(REPOSITORY / "rules")
    judge = Judge(release)
    found = [_columns(judge, "typical", 0.8), _columns(judge, "worst", 1.5)]
    return [*found, _report(judge), _finding(judge), _many(release), _load(release)]


def _columns(judge: Judge, kind: Kind, goal: float) -> Row:
    table, floor = DecisionTable(judge, SUBJECT), hand_written(judge.release)
    ratios = []
    several = list(records(judge.release, kind, IN_BLOCK))
    frame, _ = table.frame(enumerate(several, start=2))
    for _ in range(1 + BLOCKS):
        base = seconds(lambda: deque(map(floor, several), maxlen=0))
        ratios.append(seconds(lambda: table.judge(frame)) / base)
    what = f"{RECORDS:,} stored rows with every finding, {kind}, beside a look-up in plain Python (CPU time)"
    return _ratio(f"columns_{kind}_vs_dict", what, ratios[1:], goal)


def _report(judge: Judge) -> Row:
    """From the bytes of an upload to the last sentence, as the store reads and judges it."""
    floor = hand_written(judge.release)
    several = list(records(judge.release, "typical", IN_BLOCK))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        write_csv(path, rows(IN_BLOCK, FAULTY))
        found = report(judge, path)
        assert found["line"].n_unique() == sum(bool(judge.judge(SUBJECT, record)) for record in several)
        ratios = [
            seconds(lambda: report(judge, path)) / seconds(lambda: deque(map(floor, several), maxlen=0))
            for _ in range(BLOCKS)
        ]
    what = "from an upload's bytes to every sentence in both languages, beside a look-up (CPU time)"
    return _ratio("report_vs_dict", what, ratios, 3.5)


def report(judge: Judge, path: Path) -> pl.DataFrame:
    """Every finding with line, column, and its sentence in Chinese and English."""
    manifest = open_manifest(path, "text/csv")
    normaliser = RowNormaliser(judge.release, SUBJECT, manifest.listing)
    columns, lists = normaliser.columns(manifest.header), ListJudge(judge, SUBJECT)
    found = pl.concat(
        lists.frame(*normaliser.frame(lines, cells)) for lines, cells, _ in manifest.parts(TOGETHER)
    )
    told = {rule: Finding(rule, "error", "") for rule in found["rule"].unique()}
    zh = {rule: sentence(judge.release, finding, "zh") for rule, finding in told.items()}
    en = {rule: sentence(judge.release, finding, "en") for rule, finding in told.items()}
    return found.with_columns(
        pl.col("pointer").str.strip_prefix("/").replace_strict(columns, default=None).alias("column"),
        pl.col("rule").replace_strict(zh, return_dtype=pl.String).alias("zh"),
        pl.col("rule").replace_strict(en, return_dtype=pl.String).alias("en"),
    )


def _finding(judge: Judge) -> Row:
    wrong = next(records(judge.release, "typical", 1))  # the first is faulty
    assert judge.judge(SUBJECT, wrong)
    micros = [
        1e6 * seconds(lambda: [judge.judge(SUBJECT, wrong) for _ in range(SINGLE)]) / SINGLE
        for _ in range(BLOCKS)
    ]
    what = "one refused record, judged with findings (CPU time)"
    return Row("judge_finding_us", what, median(micros), "µs", goal=20, n=BLOCKS, spread=interval(micros))


def _many(release: Release) -> Row:
    """Ten times the categories."""
    documents = json.loads(release.canonical())
    for path in [f"categories/{id_}" for id_ in release.categories]:
        for number in range(1, 10):
            documents[f"{path}-{number}"] = {**documents[path], "also": []}
    many = Release(documents)
    schema = gate_schema(many.subject_form(SUBJECT), many.schema_rules(SUBJECT))
    gate = jsonschema_rs.Draft202012Validator(
        schema, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions()
    ).is_valid
    floor, several = hand_written(many), list(records(release, "typical", IN_BLOCK // 4))
    ratios = [
        seconds(lambda: deque(map(gate, several), maxlen=0))
        / seconds(lambda: deque(map(floor, several), maxlen=0))
        for _ in range(BLOCKS)
    ]
    what = f"the gate with {len(many.cells)} combinations, beside a look-up in plain Python (CPU time)"
    return _ratio("gate_220_vs_dict", what, ratios, 1.5)


def _load(release: Release) -> Row:
    stored = release.canonical()
    millis = [1e3 * seconds(lambda: Judge(Release.from_canonical(stored))) for _ in range(BLOCKS)]
    what = "a stored release compiled and proven on all cells (CPU time)"
    return Row("release_load_ms", what, median(millis), "ms", goal=200, n=BLOCKS, spread=interval(millis))


def seconds(work: Callable[[], Any]) -> float:
    """CPU seconds of all threads."""
    started = time.process_time()
    work()
    return time.process_time() - started


def _ratio(id_: str, what: str, ratios: list[float], goal: float) -> Row:
    return Row(id_, what, median(ratios), "ratio", 1, goal, n=len(ratios), spread=interval(ratios))
