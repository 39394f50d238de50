"""What is written in any format, encoding and line end is read back equal."""

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_workbook import write_raw_workbook, write_workbook

from manifests.reader import Row, open_manifest

HEADER = ["file_name", "备注", "md5"]
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
XML_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=30
)
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def rows_of(cells: st.SearchStrategy[str]) -> st.SearchStrategy[list[list[str]]]:
    named = cells.filter(lambda cell: bool(cell.strip()))
    return st.lists(st.tuples(named, cells, cells).map(list), max_size=6)


def read(path: Path, declared: str | None = None) -> list[list[str]]:
    manifest = open_manifest(path, declared)
    assert manifest.header == HEADER
    rows = [row for row in manifest.rows() if isinstance(row, Row)]
    return [list(row.cells.values()) for row in rows]


@FEW
@given(
    rows=rows_of(TEXT),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    delimiter=st.sampled_from([",", "\t", ";"]),
    blank=st.integers(0, 2),
)
def test_delimited_text_is_read_as_it_was_written(
    tmp_path: Path, rows: list[list[str]], encoding: str, newline: str, delimiter: str, blank: int
) -> None:
    text = io.StringIO()
    text.write(newline * blank)
    writer = csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=csv.QUOTE_ALL)
    writer.writerows([HEADER, *rows])
    text.write(newline * blank)
    path = tmp_path / "list"
    path.write_bytes(text.getvalue().encode(encoding))
    assert read(path) == rows
    manifest = open_manifest(path, None)
    assert (manifest.format, manifest.encoding) == ("tsv" if delimiter == "\t" else "csv", encoding)
    if not any("\n" in cell or "\r" in cell for row in rows for cell in row):
        assert [row.line for row in manifest.rows()] == [blank + 2 + nth for nth in range(len(rows))]


@FEW
@given(
    rows=rows_of(TEXT).filter(bool),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    ascii_only=st.booleans(),
)
def test_ndjson_is_read_as_it_was_written(
    tmp_path: Path, rows: list[list[str]], encoding: str, newline: str, ascii_only: bool
) -> None:
    objects = [dict(zip(HEADER, row, strict=True)) for row in rows]
    text = newline.join(json.dumps(record, ensure_ascii=ascii_only) for record in objects)
    path = tmp_path / "list"
    path.write_bytes(text.encode("utf-8" if encoding == "gb18030" and ascii_only else encoding))
    assert read(path, "application/x-ndjson") == rows


@FEW
@given(rows=rows_of(XML_TEXT), prefix=st.sampled_from(["", "x"]), references=st.booleans())
def test_a_workbook_is_read_as_it_was_written(
    tmp_path: Path, rows: list[list[str]], prefix: str, references: bool
) -> None:
    path = tmp_path / "list"
    write_raw_workbook(path, lambda: [HEADER, *rows], prefix, references)
    assert read(path) == rows


@FEW
@given(rows=rows_of(XML_TEXT))
def test_a_workbook_with_text_in_its_cells_is_read_as_it_was_written(
    tmp_path: Path, rows: list[list[str]]
) -> None:
    assert read(write_workbook(tmp_path / "list", [HEADER, *rows])) == rows


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (12, "12"),
        (3.0, "3"),
        (1e5, "100000"),
        (2.5, "2.5"),
        (1.2345e31, "1.2345e+31"),
        (True, "true"),
        (None, ""),
    ],
)
def test_a_number_comes_as_a_person_would_write_it(tmp_path: Path, written: object, text: str) -> None:
    objects = tmp_path / "list.ndjson"
    objects.write_text(json.dumps({"file_name": "a", "value": written}))
    book = write_workbook(tmp_path / "list.xlsx", [["file_name", "value"], ["a", written]])
    cells = {"file_name": "a", "value": text}
    assert list(open_manifest(objects, None).rows()) == [Row(1, cells)]
    assert list(open_manifest(book, None).rows()) == [Row(2, cells)]
