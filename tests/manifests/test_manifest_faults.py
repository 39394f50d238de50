"""Every way a file can be wrong has its code, its place and its sentence; the good rows go on."""

import gzip
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from raw_workbook import SHEET, STRINGS, replace_parts, write_raw_workbook, write_workbook

from manifests.faults import SENTENCES
from manifests.reader import Fault, Limits, UnreadableFile, fault_sentence, open_manifest

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NDJSON = "application/x-ndjson"
OLE = bytes.fromhex("d0cf11e0a1b11ae1")
LIMITS = Limits(rows=3, columns=4, cell_length=10, line_length=100)


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("reads.txt", "no workbook")
    return content.getvalue()


def whole_fault(path: Path, declared: str | None = None, limits: Limits = LIMITS) -> Fault:
    """The fault that stops the file, be it at opening or on the way."""
    with pytest.raises(UnreadableFile) as caught:
        list(open_manifest(path, declared, limits).rows())
    assert caught.value.__cause__ is None
    return caught.value.fault


@pytest.mark.parametrize(
    ("content", "declared", "fault"),
    [
        (b"", None, Fault("file.empty")),
        (b"\xef\xbb\xbf", None, Fault("file.empty")),
        (b"\xff\xfe", None, Fault("file.empty")),
        (b" \r\n\n", None, Fault("file.empty")),
        (b",,\n,,\n", None, Fault("file.empty")),
        (b"name\n1", "image/png", Fault("file.media_type")),
        (b"name,md5\na,\xff\n", "text/csv", Fault("file.encoding", 2, None, (12,))),
        ("name\n样本\n".encode("gb18030")[:-2], None, Fault("file.encoding", 2, None, (8,))),
        (b"\xef\xbb\xbfname\na\n\xff", None, Fault("file.encoding", 3, None, (11,))),
        (b"\xff\xfen\0a\0\n\0\x00\xd8a\0", None, Fault("file.encoding", 2, None, (9,))),
        (b"%PDF-1.7\n", "text/csv", Fault("file.is_pdf")),
        (b"\xff\xd8\xff\xe0", "text/csv", Fault("file.is_image")),
        (b"\x89PNG\r\n\x1a\n", XLSX, Fault("file.is_image")),
        (gzip.compress(b"@read1\nACGT\n", mtime=0), "text/csv", Fault("file.is_compressed")),
        (zipped(), "text/csv", Fault("file.is_xlsx")),
        (zipped(), XLSX, Fault("file.is_zip")),
        (b"PK\x03\x04 cut", None, Fault("file.not_xlsx")),
        (OLE + bytes(600), XLSX, Fault("file.is_xls")),
        (OLE + bytes(600) + "EncryptedPackage".encode("utf-16-le"), XLSX, Fault("file.is_encrypted")),
        (b"<!DOCTYPE html><html></html>", "text/csv", Fault("file.is_markup")),
        (b'[\n{"file_name": "a"}]', NDJSON, Fault("file.is_json_array")),
        (b'{"file_name": "a"}', "text/csv; charset=utf-8", Fault("file.is_ndjson")),
        (b"file_name\na\n", NDJSON, Fault("file.is_text")),
        (b"file_name\na\n", XLSX, Fault("file.is_text")),
        (b'{\n"file_name": "a"\n}\n', NDJSON, Fault("file.not_ndjson")),
        (b"a,b,c,d,e\n", None, Fault("header.too_many_columns", 1, None, (4,))),
        (b"\n\na,,c\n", None, Fault("header.unnamed", 3, None, (2,))),
        (b"a,b, a\n", None, Fault("header.duplicate", 1, None, (1, 3))),
        (b"a,b\0\n", None, Fault("header.nul", 1, None, (2,))),
        (b"n\0a\0\n\0", None, Fault("header.nul", 1, None, (1,))),
        (b'{"": 1}', NDJSON, Fault("header.unnamed", None, None, (1,))),
        (b'a,"b\nc\n', None, Fault("row.quotes", 1)),
        (b"a\n1\n2\n3\n4\n", None, Fault("file.too_many_rows", 5, None, (3,))),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    tmp_path: Path, content: bytes, declared: str | None, fault: Fault
) -> None:
    path = tmp_path / "upload"
    path.write_bytes(content)
    assert whole_fault(path, declared) == fault


def test_a_header_that_is_no_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_text("a," + "b" * 201)
    assert whole_fault(path, limits=Limits()) == Fault("header.too_long", 1, None, (2, 200))


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (b"a,b\n1\n2,3\n", [Fault("row.cells", 2, None, (2, 1)), (3, ["2", "3"])]),
        (b"a,b\n1,2,3\n4,5,,\n", [Fault("row.cells", 2, None, (2, 3)), (3, ["4", "5"])]),
        (b'a,b\n1,"2\n3,4\n', [Fault("row.quotes", 2), (3, ["3", "4"])]),
        (b'a,b\n1,"2"x\n3,4\n', [Fault("row.quotes", 2), (3, ["3", "4"])]),
        (
            b'a,b\n1,"\n' + b"\n" * 100 + b'2,3\n4,"5"\n',
            [Fault("row.quotes", 2), (103, ["2", "3"]), (104, ["4", "5"])],
        ),
        (b"a,b\n1," + b"x" * 500 + b"\n2,3\n", [Fault("row.too_long", 2, None, (100,)), (3, ["2", "3"])]),
        (
            b'a,b\n1,"\n' + b"x" * 500 + b"\n2,3\n",
            [Fault("row.quotes", 2), Fault("row.too_long", 3, None, (100,)), (4, ["2", "3"])],
        ),
        (b"a,b\n1,\0\n2,3\n", [Fault("cell.nul", 2, "b"), (3, ["2", "3"])]),
        (b"a,b\n12345678901,2\n3,4\n", [Fault("cell.too_long", 2, "a", (10,)), (3, ["3", "4"])]),
        (b'a,b\n1,"2\n2"\n\n , \n3,4', [(2, ["1", "2\n2"]), (6, ["3", "4"])]),
        (b"a;b\n1;2,5\n", [(2, ["1", "2,5"])]),
        (b"a,b\n", []),
        (b'{"a": "1"}\n{"a"\n{"a": "2"}', [(1, ["1"]), Fault("row.json", 2), (3, ["2"])]),
        (b'{"a": "1"}\n{"a": "\\ud800"}', [(1, ["1"]), Fault("row.json", 2)]),
        (b'{"a": "1"}\n{"a": NaN}', [(1, ["1"]), Fault("row.json", 2)]),
        (b'{"a": "1"}\n["1"]', [(1, ["1"]), Fault("row.not_object", 2)]),
        (b'{"a": "1"}\n{"a": ' + b"[" * 60, [(1, ["1"]), Fault("row.json", 2)]),
        (b'{"a": "1"}\n{"b": ["1"]}', [(1, ["1"]), Fault("cell.nested", 2, "b")]),
        (b'{"a": "1"}\n{"b": "\\u0000"}', [(1, ["1"]), Fault("cell.nul", 2, "b")]),
        (b'{"a": "' + b"x" * 500 + b'"}\n{"a": "1"}', [Fault("row.too_long", 1, None, (100,)), (2, ["1"])]),
        (b'{"a": "1"}\n\n{}\n{"a": null}\n{"b": 2}', [(1, ["1"]), (5, ["2"])]),
    ],
)
def test_a_bad_row_is_told_and_the_others_are_read(tmp_path: Path, content: bytes, read: list[Any]) -> None:
    path = tmp_path / "upload"
    path.write_bytes(content)
    rows = list(open_manifest(path, None, LIMITS).rows())
    assert [row if isinstance(row, Fault) else (row.line, list(row.cells.values())) for row in rows] == read


def test_thousandfold_nesting_in_a_line_is_a_fault_of_that_line(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(b'{"a": "1"}\n{"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}")
    assert list(open_manifest(path, None).rows())[1] == Fault("row.json", 2)


def test_the_columns_of_ndjson_are_all_keys_in_order_of_appearance(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_text('{"file_name": "a"}\n{"md5": "b", "file_name": "c"}\n')
    assert open_manifest(path, NDJSON).header == ["file_name", "md5"]


def test_the_sheet_read_is_the_only_visible_one_with_content(tmp_path: Path) -> None:
    notes, rows = [["how to fill in"]], [[], ["a", "b"], ["1"]]
    path = write_workbook(tmp_path / "list", notes, [], rows, hidden=[0])
    manifest = open_manifest(path, XLSX)
    assert (manifest.header, [row.line for row in manifest.rows()]) == (["a", "b"], [3])
    assert whole_fault(write_workbook(path, notes, rows)) == Fault("file.several_sheets", None, None, (2,))
    assert whole_fault(write_workbook(path, [], [])) == Fault("file.empty")


def test_a_sheet_row_with_cells_beyond_the_header_is_a_fault(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "list", [["a", "b"], ["1", None, "3"], ["1", "2", "  "]])
    faulty, good = open_manifest(path, XLSX).rows()
    assert faulty == Fault("row.cells", 2, None, (2, 3))
    assert good == (3, {"a": "1", "b": "2"})


def test_excels_escapes_are_undone_and_file_names_that_look_like_them_kept(tmp_path: Path) -> None:
    path = write_workbook(
        tmp_path / "list", [["a"], ["x_x0009_y"], ["lib_x1234_R1"], ["_x005F_x000D_"], ["_x0000_"]]
    )
    *rows, nul = open_manifest(path, XLSX).rows()
    assert [row[1] for row in rows] == [{"a": "x\ty"}, {"a": "lib_x1234_R1"}, {"a": "_x000D_"}]
    assert nul == Fault("cell.nul", 5, "a")


@pytest.mark.parametrize("part", [SHEET, STRINGS, "xl/workbook.xml", "xl/styles.xml", "[Content_Types].xml"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"<worksheet><sheetData><row>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><x><row><c t="inlineStr"><is><t>&a;</t></is></c></row></x>',
        b"<a>" * 100_000,
        b'<a b="' + b"x" * (9 << 20),
    ],
)
def test_a_workbook_with_a_broken_part_is_refused(tmp_path: Path, part: str, content: bytes) -> None:
    path = tmp_path / "list"
    write_raw_workbook(path, lambda: [["file_name", "md5"], ["a", "b"]])
    assert whole_fault(replace_parts(path, {part: content}), XLSX, Limits()) == Fault("file.not_xlsx")


@pytest.mark.parametrize(
    "rows",
    [
        b'<row r="7"/><row r="7"/>',
        b'<row r="7"/><row r="6"/>',
        b'<row r="99999999"/>',
        b'<row r="first"/>',
        b'<row><c r="ZZZZ1"><v>1</v></c></row>',
        b'<row><c t="s"><v>-1</v></c></row>',
        b'<row><c t="s"><v>99</v></c></row>',
        b'<row><c t="n"><v>many</v></c></row>',
        b"<row>" + b"<c><v>1</v></c>" * 40_000 + b"</row>",
    ],
)
def test_a_sheet_no_spreadsheet_program_writes_is_refused(tmp_path: Path, rows: bytes) -> None:
    path = tmp_path / "list"
    write_raw_workbook(path, lambda: [["file_name", "md5"], ["a", "b"]])
    sheet = b"<worksheet><sheetData>" + rows + b"</sheetData></worksheet>"
    assert whole_fault(replace_parts(path, {SHEET: sheet}), XLSX, Limits()) == Fault("file.not_xlsx")


def test_a_workbook_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "list", [["a"]])
    replace_parts(path, {"xl/media/image1.bin": bytes(3 << 20)})
    assert whole_fault(path, limits=Limits(unpacked_bytes=2 << 20)) == Fault(
        "file.unpacked_too_large", None, None, (2,)
    )


def test_ten_million_characters_in_a_cell_are_a_fault_of_its_row(tmp_path: Path) -> None:
    path = tmp_path / "list"
    write_raw_workbook(path, lambda: [["file_name"], ["x" * 10_000_000], ["b"]])
    assert list(open_manifest(path, XLSX).rows()) == [
        Fault("cell.too_long", 2, "file_name", (4096,)),
        (3, {"file_name": "b"}),
    ]


def test_every_sentence_names_its_place_and_numbers_in_both_languages() -> None:
    for code, (chinese, english) in SENTENCES.items():
        numbers = len(set(re.findall(r"\{(\d)\}", chinese)))
        assert numbers == len(set(re.findall(r"\{(\d)\}", english))), code
        fault = Fault(code, 7, "md5", tuple(range(41, 41 + numbers)))
        for sentence in (fault_sentence(fault, "zh"), fault_sentence(fault, "en")):
            assert "7" in sentence
            assert "md5" in sentence
            assert all(str(number) in sentence for number in fault.facts)
