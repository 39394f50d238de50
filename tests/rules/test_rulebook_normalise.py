import copy
import json
from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.engine.judge import Judge
from rules.engine.normalise import RowNormaliser
from rules.engine.release import Release

RUN_TABLE_HEADER = [
    "studyAccession",
    "individualAccession",
    "individualName",
    "sampleAccession",
    "sampleDescription",
    "sampleName",
    "gender",
    "runAccession",
    "dataName",
    "experimentAccession",
    "platform",
    "strategy",
]


@pytest.fixture(scope="module")
def normaliser(release: Release) -> RowNormaliser:
    return RowNormaliser(release, "data-file", "file_list")


@pytest.mark.parametrize(
    ("cells", "field", "value"),
    [
        ({"文件名": " a.bam\u3000"}, "file_name", "a.bam"),
        ({"File Name": "a.bam"}, "file_name", "a.bam"),
        ({"\ufefffile_name": "a\u200b.bam"}, "file_name", "a.bam"),
        ({"数据资源库": "GSA Human"}, "repository", "gsa-human"),
        ({"数据资源库": "人类遗传资源组学原始数据归档库"}, "repository", "gsa-human"),
        ({"信息类型": "全基因组测序"}, "category", "wgs"),
        ({"category": "wxs"}, "category", "wes"),
        ({"信息类型": "临床数据"}, "category", "clinical"),
        ({"信息类型": "全息数据"}, "category", "全息数据"),
        ({"数据类型": "变异数据"}, "data_type", "variants"),
        ({"编号": "hra000001"}, "accession", "HRA000001"),
        ({"MD5": "D41D8CD98F00B204E9800998ECF8427E"}, "md5", "d41d8cd98f00b204e9800998ecf8427e"),
        ({"文件大小": "123"}, "size_bytes", 123),
        ({"文件大小": "１２３"}, "size_bytes", "１２３"),
        ({"文件大小": "9" * 5000}, "size_bytes", "9" * 5000),
        ({"size_bytes": 123}, "size_bytes", 123),
        ({"生物标志物类别": "核酸序列类"}, "biomarker_kind", "sequence"),
        ({"递交状态": "硬盘邮寄"}, "deposit", "in_transit"),
        ({"文件格式": "FASTQ"}, "file_format", "fastq"),
    ],
)
def test_a_cell_becomes_the_value_the_rules_know_or_stays_as_it_came(
    normaliser: RowNormaliser, cells: dict[str, Any], field: str, value: object
) -> None:
    assert normaliser.record(cells) == {"deposit": "deposited", "listing": "file_list"} | {field: value}


def test_empty_cells_and_unknown_columns_are_left_out(normaliser: RowNormaliser) -> None:
    cells = {"file_name": "", "md5": " \u3000", "run": None, "姓名备注": "someone", "listing": "x"}
    assert normaliser.record(cells) == {"deposit": "deposited", "listing": "file_list"}
    assert normaliser.fields(["文件名", "姓名备注", "file_name", "listing"]) == [
        "file_name",
        None,
        None,
        None,
    ]
    assert normaliser.columns(["序号", "MD5校验值"]) == {"md5": "MD5校验值"}


def test_a_run_table_is_read_without_its_personal_columns(release: Release, judge: Judge) -> None:
    normaliser = RowNormaliser(release, "data-file", "gsa_human_run_table")
    cells = dict.fromkeys(RUN_TABLE_HEADER, "王小明") | {
        "studyAccession": "HRA000001",
        "runAccession": "HRR059190",
        "dataName": "HRR059190_1.fastq.gz",
        "strategy": "RNA-Seq",
    }
    record = normaliser.record(cells)
    assert record == {
        "accession": "HRA000001",
        "run": "HRR059190",
        "file_name": "HRR059190_1.fastq.gz",
        "category": "transcriptome",
        "repository": "gsa-human",
        "data_type": "raw",
        "deposit": "deposited",
        "listing": "gsa_human_run_table",
    }
    assert judge.judge("data-file", record) == []
    assert set(normaliser.fields(RUN_TABLE_HEADER)) == {None, "accession", "run", "file_name", "category"}


def test_every_column_of_the_run_table_is_known(release: Release) -> None:
    table = release.repository("gsa-human").run_table
    assert table is not None
    assert sorted([*table.columns, *table.dropped]) == sorted(RUN_TABLE_HEADER)


def test_a_strategy_that_says_no_category_is_left_to_the_rules(release: Release, judge: Judge) -> None:
    normaliser = RowNormaliser(release, "data-file", "gsa_human_run_table")
    record = normaliser.record({"studyAccession": "HRA000001", "dataName": "a.bam", "strategy": "OTHER"})
    assert [finding.rule for finding in judge.judge("data-file", record)] == ["data-file.category.enum"]


def test_a_list_nobody_exports_is_refused(release: Release) -> None:
    with pytest.raises(ValueError, match="unheard_of"):
        RowNormaliser(release, "data-file", "unheard_of")


@given(
    st.dictionaries(
        st.text(max_size=8) | st.sampled_from(["文件名", "MD5", "size", "类别", "编号"]), st.text(max_size=40)
    )
)
def test_any_row_becomes_a_record_that_can_be_judged_and_normalised_again(
    normaliser: RowNormaliser, judge: Judge, cells: dict[str, str]
) -> None:
    record = normaliser.record(cells)
    judge.judge("data-file", record)
    again = normaliser.record({name: value for name, value in record.items() if name != "listing"})
    assert again == record


HEADERS = ["文件名", "MD5", "md5值", "size", "类别", "编号", "递交状态", "姓名"]
SPELT = [
    "WGS",
    "全基因组测序",
    " wgs\u200b",
    "硬盘邮寄",
    "其他",
    "12",
    "+12",
    "-1",
    "0012",
    "1_0",
    "9" * 18,
    "9" * 19,
]
CELLS = (
    st.none()
    | st.sampled_from(["", " \x1c", *SPELT, "straße", "ΑΣ", "\u3000ﬁ.bam", "\xad"])
    | st.text(max_size=6)
)


Rows = list[tuple[int, Mapping[str, Any]]]


def by_row(normaliser: RowNormaliser, cells: pl.DataFrame) -> Rows:
    return [(line, normaliser.record(row)) for line, row in enumerate(cells.iter_rows(named=True), start=2)]


def by_column(normaliser: RowNormaliser, cells: pl.DataFrame) -> Rows:
    frame, odd = normaliser.frame(pl.int_range(2, 2 + len(cells), eager=True), cells)
    records = [{name: value for name, value in row.items() if value is not None} for row in frame.to_dicts()]
    return sorted([*odd, *((record.pop("line"), record) for record in records)], key=lambda row: row[0])


@pytest.mark.parametrize("listing", ["file_list", "gsa_human_run_table"])
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_whatever_the_cells_columns_become_the_records_that_rows_become(
    release: Release, listing: str, data: st.DataObject
) -> None:
    normaliser = RowNormaliser(release, "data-file", listing)
    header = data.draw(st.lists(st.sampled_from([*HEADERS, *RUN_TABLE_HEADER]), unique=True, min_size=1))
    rows = data.draw(st.lists(st.tuples(*[CELLS] * len(header)), max_size=8))
    rows *= data.draw(st.sampled_from([1, 4]))  # few different texts are converted once each
    cells = pl.DataFrame(rows, schema=dict.fromkeys(header, pl.String), orient="row")
    assert by_column(normaliser, cells) == by_row(normaliser, cells)


def test_a_form_with_fields_that_are_no_columns_is_read_row_by_row(release: Release) -> None:
    documents = json.loads(release.canonical())
    form = documents["forms/data-file"]
    form["properties"]["paired"] = copy.deepcopy(form["properties"]["run"]) | {"type": "boolean"}
    form["x-order"].append("paired")
    normaliser = RowNormaliser(Release(documents), "data-file", "file_list")
    cells = pl.DataFrame({"文件名": ["a.bam", "b.bam"]})
    frame, odd = normaliser.frame(pl.Series([2, 3]), cells)
    assert frame.is_empty()
    assert odd == by_row(normaliser, cells)
