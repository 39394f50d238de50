"""Lists read by column come out as read record by record, wherever the blocks begin and end."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from manifests import delimited
from manifests.reader import Fault, Limits, Row, UnreadableFile, open_manifest

LIMITS = Limits(rows=50, columns=4, cell_length=40, line_length=60)
TOKENS = ["a", "b", "样", " ", ",", ",", ",", "\n", "\n", "\n", "\r\n", "\r", '"', '"', '""', ',"a",', "\x1c"]
PIECES = [*TOKENS, "\ufeff", "\0", "\u3000", "1,2\n", '"1","2, 3"\n', '"a\nb",2\n', "x" * 15, "x" * 70]
TEXT = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def read(path: Path) -> list[Row | Fault] | Fault:
    try:
        return list(open_manifest(path, "text/csv", LIMITS).rows())
    except UnreadableFile as error:
        return error.fault


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(below=TEXT, block=st.sampled_from([1, 7, 30, 1 << 20]))
@example(below="1,2\n3,4,\n5\n6,7\n", block=1 << 20)
@example(below="1,2\n3,4,5\n6\n7,8\n", block=1 << 20)
@example(below='1,2\n3,"4\n5,6\n7,8\n', block=10)
@example(below='"1","2"\n3,"say ""4"", 5"\n', block=1 << 20)
@example(below="1,2\n\n , \n\n3,4", block=1 << 20)
def test_a_list_reads_the_same_by_column_and_record_by_record(
    tmp_path: Path, below: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "list"
    path.write_bytes(("name,md5\n" + below).encode())
    monkeypatch.setattr(delimited, "_BLOCK", block)
    by_column = read(path)
    with monkeypatch.context() as patch:
        patch.setattr(delimited, "_columns", lambda *_: None)
        assert read(path) == by_column


def test_a_sound_list_is_never_read_record_by_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "list"
    path.write_text('name,"note"\n' + '样本.bam,"of ""A"", first"\r\n' * 100, newline="")
    manifest = open_manifest(path, None)
    monkeypatch.setattr(delimited, "name_cells", None)
    (part,) = manifest.parts()
    assert [*part.lines] == [*range(2, 102)]
    assert part.cells.unique().rows() == [("样本.bam", 'of "A", first')]


def test_parts_are_joined_to_the_length_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text('{"name": "a"}\n' * 4_500)
    assert [len(part.lines) for part in open_manifest(path, None).parts(4_000)] == [4_000, 500]
