"""Whatever the bytes are, a file is read or refused; nothing else is ever raised."""

import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_workbook import SHEET, SMALL_PARTS, STRINGS, replace_parts, write_raw_workbook, write_workbook

from manifests.reader import Limits, Row, UnreadableFile, fault_sentence, open_manifest

ROWS = [["file_name", "样本", "size_bytes"], ["a_1.fq.gz", "甲", "1"], ["b_1.fq.gz", 'say "乙"', "2"]]
CSV = '"file_name","样本"\r\n"a","甲"\r\n"b","say ""乙"""\r\n'
NDJSON = '{"file_name": "a", "样本": "甲", "size_bytes": 1}\n{"file_name": "b", "size_bytes": null}\n'
DECLARED = st.sampled_from([None, "text/csv", "application/x-ndjson", "application/octet-stream", "x"])
EDITS = st.lists(st.tuples(st.integers(0), st.binary(max_size=4), st.integers(0, 4)), min_size=1, max_size=4)
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read_or_refuse(path: Path, declared: str | None = None) -> None:
    faults = []
    try:
        manifest = open_manifest(path, declared, Limits(rows=1_000, unpacked_bytes=64 << 20))
        for row in manifest.rows():
            if isinstance(row, Row):
                assert row.cells.keys() <= set(manifest.header)
                "".join(row.cells.values()).encode()  # no half of a surrogate pair
            else:
                faults.append(row)
    except UnreadableFile as error:
        faults.append(error.fault)
    assert all(fault_sentence(fault, "zh") and fault_sentence(fault, "en") for fault in faults)


def edited(content: bytes, edits: list[tuple[int, bytes, int]]) -> bytes:
    for position, inserted, removed in edits:
        at = position % (len(content) + 1)
        content = content[:at] + inserted + content[at + removed :]
    return content


@MANY
@given(
    content=st.binary(max_size=200),
    start=st.sampled_from([b"", b"{", b"PK\x03\x04", b"\xff\xfe"]),
    declared=DECLARED,
)
def test_random_bytes(tmp_path: Path, content: bytes, start: bytes, declared: str | None) -> None:
    path = tmp_path / "upload"
    path.write_bytes(start + content)
    read_or_refuse(path, declared)


@MANY
@given(
    text=st.sampled_from([CSV, NDJSON]),
    encoding=st.sampled_from(["utf-8-sig", "utf-16", "gb18030"]),
    edits=EDITS,
    declared=DECLARED,
)
def test_damaged_text(
    tmp_path: Path, text: str, encoding: str, edits: list[tuple[int, bytes, int]], declared: str | None
) -> None:
    path = tmp_path / "upload"
    path.write_bytes(edited(text.encode(encoding), edits))
    read_or_refuse(path, declared)


@MANY
@given(edits=EDITS)
def test_a_damaged_workbook(tmp_path: Path, edits: list[tuple[int, bytes, int]]) -> None:
    path = write_workbook(tmp_path / "upload", ROWS)
    path.write_bytes(edited(path.read_bytes(), edits))
    read_or_refuse(path)


@MANY
@given(part=st.sampled_from([*SMALL_PARTS, SHEET, STRINGS]), edits=EDITS)
def test_a_workbook_with_a_damaged_part(
    tmp_path: Path, part: str, edits: list[tuple[int, bytes, int]]
) -> None:
    path = tmp_path / "upload"
    write_raw_workbook(path, lambda: ROWS)
    with zipfile.ZipFile(path) as archive:
        content = archive.read(part)
    read_or_refuse(replace_parts(path, {part: edited(content, edits)}))


@pytest.mark.parametrize("part", [*SMALL_PARTS, SHEET, STRINGS, "xl/styles.xml"])
def test_a_part_nested_a_hundred_thousand_deep(tmp_path: Path, part: str) -> None:
    path = tmp_path / "upload"
    write_raw_workbook(path, lambda: ROWS)
    read_or_refuse(replace_parts(path, {part: b"<a>" * 100_000 + b"</a>" * 100_000}))
