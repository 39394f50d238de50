import polars as pl
import pytest
from rulebook_records import ROW

from rules.engine import lists
from rules.engine.judge import Judge
from rules.engine.lists import ListJudge
from rules.engine.normalise import RowNormaliser
from rules.engine.release import Release
from rules.engine.table import judged_by_row

CELLS = pl.DataFrame(
    {
        "file_name": ["a.bam", "a b.bam", "c.exe", "d.bam"],
        "repository": ["gsa-human", "omix", "gsa-human", None],
        "accession": ["HRA000001", "HRA000001", "?", "HRA000001"],
        "category": ["wgs", "wgs", "clinical", "wes"],
        "data_type": "raw",
        "size": ["12", "many", "-1", ""],
    }
)


@pytest.mark.parametrize("long", [1, 5])
def test_a_list_gets_the_same_findings_by_column_and_row_by_row(
    release: Release, judge: Judge, long: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "_LONG", long)
    normaliser = RowNormaliser(release, "data-file", "file_list")
    frame, odd = normaliser.frame(pl.int_range(2, 6, eager=True), CELLS)
    rows = [(line, normaliser.record(row)) for line, row in enumerate(CELLS.iter_rows(named=True), start=2)]
    found = ListJudge(judge, "data-file").frame(frame, odd)
    assert [line for line, _ in odd] == [3, 4]
    assert found.rows() == judged_by_row(judge, "data-file", rows).rows()
    assert found.rows() == ListJudge(judge, "data-file").records(rows).rows()
    assert {*found["line"]} >= {3, 4, 5}


def test_a_form_with_lists_in_it_is_judged_row_by_row(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "_LONG", 1)
    rows = [(2, {"categories": ["imaging"]}), (3, {})]
    found = ListJudge(judge, "backup-information").records(rows)
    assert found.rows() == judged_by_row(judge, "backup-information", rows).rows()
    assert {*found["line"]} == {2, 3}


def test_a_right_list_has_no_findings(judge: Judge) -> None:
    assert ListJudge(judge, "data-file").records([(2, ROW)]).is_empty()
