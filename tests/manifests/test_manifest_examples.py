"""The example lists are what they say: right ones without a finding, wrong ones with these."""

from pathlib import Path
from typing import Any

import pytest

from manifests.reader import Fault, open_manifest
from rules.engine.judge import Judge
from rules.engine.load import load_rulebook
from rules.engine.normalise import RowNormaliser
from rules.engine.release import Release

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def release() -> Release:
    return load_rulebook(ROOT / "rules")


def read(release: Release, name: str) -> tuple[list[tuple[int, dict[str, Any]]], list[Fault]]:
    """Records by line, and faults."""
    manifest = open_manifest(EXAMPLES / name, None)
    normaliser = RowNormaliser(release, "data-file", manifest.listing)
    rows = list(manifest.rows())
    faults = [row for row in rows if isinstance(row, Fault)]
    return [(row.line, normaliser.record(row.cells)) for row in rows if not isinstance(row, Fault)], faults


def remarks(release: Release, records: list[tuple[int, dict[str, Any]]]) -> dict[int, list[str]]:
    judge = Judge(release)
    found = {line: [finding.rule for finding in judge.judge("data-file", record)] for line, record in records}
    return {line: rules for line, rules in found.items() if rules}


def test_the_same_list_reads_the_same_in_every_format_and_is_right(release: Release) -> None:
    lists = {
        name: read(release, name)
        for name in ("file-list.csv", "file-list.gb18030.csv", "file-list.xlsx", "file-list.ndjson")
    }
    records, _ = lists["file-list.csv"]
    assert len(records) == 25
    assert len({(record["category"], record["data_type"]) for _, record in records}) == 19
    assert remarks(release, records) == {}
    for others, faults in lists.values():
        assert faults == []
        assert [record for _, record in others] == [record for _, record in records]


def test_the_run_table_is_recognised_and_right(release: Release) -> None:
    assert open_manifest(EXAMPLES / "gsa-human-run-table.csv", "text/csv").listing == "gsa_human_run_table"
    records, faults = read(release, "gsa-human-run-table.csv")
    assert (len(records), faults, remarks(release, records)) == (20, [], {})


def test_the_wrong_list_has_a_remark_for_each_wrong_row(release: Release) -> None:
    records, faults = read(release, "file-list-with-faults.csv")
    assert faults == [Fault("row.cells", 12, None, (11, 14)), Fault("row.quotes", 13)]
    assert sorted(remarks(release, records)) == [4, 5, 6, 7, 8, 9, 10]
    names = [record["file_name"] for _, record in records]
    assert len(names) == len(set(names)) + 1
