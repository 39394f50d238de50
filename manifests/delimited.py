"""CSV and TSV: quoted fields, any line end, comma, tab or semicolon.

A block of lines that every reader would read alike becomes columns at once. All others are read record by
record, which tells what is wrong and where.
"""

import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import polars as pl

from manifests.faults import Fault
from manifests.rows import Limits, Part, Record, find_header, in_parts, name_cells
from manifests.text import open_text, read_line

_RECORD_LINES = 100
"""Most lines a quoted record spans; a longer one has lost its closing quote."""
_BLOCK = 1 << 19
"""Characters looked at together."""
_ODD = "\0\x1c\x1d\x1e\x1f"
"""NUL is a fault; the others are blanks to Python and not to Unicode."""


class _Lines:
    """Lines of the file for ``csv.reader``, of which a broken record gives all but its first back.

    So a stray quote costs its own row, and not all rows up to the next quote. Iterating raises ``csv.Error``
    where a record cannot go on: at a line too long to hold, or after more lines than a record has.

    Attributes:
        number: Line on which the next record begins, from 1.
        record: Lines handed out for the record under way; None is one too long to hold.
    """

    def __init__(self, file: TextIO, length: int) -> None:
        self.number = 1
        self.record: list[str | None] = []
        self._file = file
        self._length = length
        self._waiting: deque[str | None] = deque()

    def __iter__(self) -> Iterator[str]:
        record, waiting, file, length = self.record, self._waiting, self._file, self._length
        while (text := waiting.popleft() if waiting else read_line(file, length)) != "":
            record.append(text)
            if text is None or len(record) > _RECORD_LINES:
                raise csv.Error
            yield text

    @property
    def waiting(self) -> bool:
        """Whether lines were read from the file that no record has had."""
        return bool(self._waiting)

    def give_back(self) -> None:
        """Let the next record begin on the line behind the first of this one."""
        self._waiting.extendleft(reversed(self.record[1:]))
        del self.record[1:]

    def end_record(self) -> None:
        """Let the next record begin."""
        self.number += len(self.record)
        self.record.clear()

    def block(self) -> str:
        """The next whole lines, while none are waiting; a line too long to hold is left waiting instead.

        Returns:
            ``""`` at the end of the file, or when lines wait to be read one by one.
        """
        text = self._file.read(_BLOCK)
        if text and not text.endswith("\n"):
            rest = read_line(self._file, self._length)
            if rest is None:
                self.wait(text, whole=False)
                return ""
            text += rest
        return text

    def wait(self, block: str, *, whole: bool = True) -> None:
        """Have the lines of a block read one by one; of one that is not whole, the last is too long."""
        lines = io.StringIO(block, newline="")
        self._waiting.extend(line if len(line) < self._length else None for line in lines)
        if not whole:
            self._waiting[-1] = None


def find_delimiter(path: Path, encoding: str, limits: Limits) -> str:
    """Tell the delimiter by the first line with content: the commonest of comma, tab, semicolon."""
    with open_text(path, encoding) as file:
        while (line := read_line(file, limits.line_length)) != "":
            if line and line.strip():
                unquoted = re.sub(r'"[^"]*"', "", line)
                return max(",\t;", key=unquoted.count)
    return ","


def read_delimited(path: Path, encoding: str, delimiter: str, limits: Limits) -> Iterator[Record | Fault]:
    """Read the records of a delimited text file (RFC 4180), broken ones as faults."""
    with open_text(path, encoding) as file:
        yield from _records(_Lines(file, limits.line_length), delimiter, limits)


def read_parts(path: Path, encoding: str, delimiter: str, limits: Limits) -> Iterator[Part]:
    """Read the rows below the header of a delimited text file, by column."""
    with open_text(path, encoding) as file:
        lines = _Lines(file, limits.line_length)
        records = _records(lines, delimiter, limits)
        header = find_header(records, limits)
        while (block := lines.block()) or lines.waiting:
            height = block.count("\n") + (not block.endswith("\n"))
            numbers = pl.int_range(lines.number, lines.number + height, dtype=pl.Int64, eager=True)
            part = _columns(block, numbers, header, delimiter, limits) if block else None
            if part is not None:
                lines.number += height
                yield part
                continue
            lines.wait(block)
            below = _while_waiting(lines, records)
            yield from in_parts(name_cells(below, header, limits, padded=False), header)


def _while_waiting(lines: _Lines, records: Iterator[Record | Fault]) -> Iterator[Record | Fault]:
    while lines.waiting and (record := next(records, None)) is not None:
        yield record


def _records(lines: _Lines, delimiter: str, limits: Limits) -> Iterator[Record | Fault]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        found: Record | Fault
        try:
            found = lines.number, next(reader)
        except StopIteration:
            return
        except csv.Error:
            too_long = lines.record[0] is None
            lines.give_back()
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            facts = (limits.line_length,) if too_long else ()
            found = Fault("row.too_long" if too_long else "row.quotes", lines.number, None, facts)
        lines.end_record()
        yield found


def _columns(block: str, lines: pl.Series, header: list[str], delimiter: str, limits: Limits) -> Part | None:
    """The columns of whole lines; None unless each is a sound row with as many cells as the header.

    Args:
        block: The text of these lines.
        lines: Line of the file of each.
        header: Names of the columns.
        delimiter: What stands between cells.
        limits: What the list may measure.
    """
    text = "\n".join(block.split("\r\n"))  # takes half as long as to replace
    if "\r" in text or text.startswith("\ufeff") or any(odd in text for odd in _ODD):
        return None
    data, bare = text.encode(), text
    quoted = '"' in text
    if quoted:
        bare = re.sub(rf'(?:^|(?<=[{delimiter}\n]))"(?:[^"\n]|"")*+"(?=[{delimiter}\n]|\Z)', "", text)
    if '"' in bare or bare.count(delimiter) != len(lines) * (len(header) - 1):
        return None
    try:
        cells = pl.read_csv(
            data,
            has_header=False,
            schema=dict.fromkeys(header, pl.String),
            separator=delimiter,
            quote_char='"' if quoted else None,
            missing_columns="raise",
            extra_columns="raise",
            empty_string_is_null=False,
        )
    except pl.exceptions.PolarsError:  # a row has more cells, another fewer
        return None
    if len(cells) != len(lines):
        return None
    longest = cells.select(pl.sum_horizontal(pl.all().str.len_bytes()).max()).item()
    if 2 * longest + 3 * len(header) > min(limits.cell_length, limits.line_length):  # with quotes
        return None
    blank = cells[header[0]].str.strip_chars() == ""
    if blank.any():
        filled = ~cells.select(pl.all_horizontal(pl.all().str.strip_chars() == "")).to_series()
        lines, cells = lines.filter(filled), cells.filter(filled)
    return Part(lines, cells, [])
